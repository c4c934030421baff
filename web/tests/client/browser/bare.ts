/** A DataChannel with nothing on it: what the same browser moves at most, to compare with. */

interface Channel {
  binaryType: string;
  bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  readyState: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: ArrayBuffer }) => void) | null;
  onbufferedamountlow: (() => void) | null;
  send(data: ArrayBuffer): void;
}

interface Peer {
  localDescription: object;
  iceGatheringState: string;
  onicegatheringstatechange: (() => void) | null;
  createDataChannel(label: string, options: object): Channel;
  createOffer(): Promise<object>;
  createAnswer(): Promise<object>;
  setLocalDescription(description: object): Promise<void>;
  setRemoteDescription(description: object): Promise<void>;
}

const MESSAGE_BYTES = 64 * 1024 + 38;
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** One end. Descriptions are whole: all candidates are in them. */
export class Bare {
  readonly #peer: Peer;
  readonly #channel: Channel;
  #received = 0;
  #wanted = Infinity;
  #whole: (() => void) | null = null;

  constructor(Connection: new (configuration: object) => unknown, configuration: object) {
    this.#peer = new Connection(configuration) as Peer;
    this.#channel = this.#peer.createDataChannel("bare", { negotiated: true, id: 0 });
    this.#channel.binaryType = "arraybuffer";
    this.#channel.bufferedAmountLowThreshold = MAX_BUFFERED_BYTES / 2;
    this.#channel.onmessage = ({ data }): void => {
      this.#received += data.byteLength;
      if (this.#received >= this.#wanted) this.#whole?.();
    };
  }

  /** Our description: an offer, or the answer to one. */
  async describe(remote: object | null): Promise<object> {
    if (remote !== null) await this.#peer.setRemoteDescription(remote);
    const own = remote === null ? await this.#peer.createOffer() : await this.#peer.createAnswer();
    await this.#peer.setLocalDescription(own);
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#peer.iceGatheringState === "complete") resolve();
      };
      this.#peer.onicegatheringstatechange = look;
      look();
    });
    return JSON.parse(JSON.stringify(this.#peer.localDescription)) as object;
  }

  async answered(remote: object): Promise<void> {
    await this.#peer.setRemoteDescription(remote);
  }

  /** Waits for so many bytes. */
  async receive(bytes: number): Promise<void> {
    this.#received = 0;
    this.#wanted = bytes;
    await new Promise<void>((resolve) => {
      this.#whole = resolve;
    });
  }

  /** Sends so many bytes, as fast as the channel takes them. */
  async send(bytes: number): Promise<void> {
    const channel = this.#channel;
    while (channel.readyState !== "open") await new Promise((resolve) => setTimeout(resolve, 5));
    const message = new ArrayBuffer(MESSAGE_BYTES);
    let left = bytes;
    await new Promise<void>((resolve) => {
      const more = (): void => {
        while (left > 0 && channel.bufferedAmount + MESSAGE_BYTES <= MAX_BUFFERED_BYTES) {
          channel.send(message);
          left -= MESSAGE_BYTES;
        }
        if (left <= 0) resolve();
      };
      channel.onbufferedamountlow = more;
      more();
    });
  }
}
