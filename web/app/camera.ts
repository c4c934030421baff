/** A camera that looks for one kind of QR code. Frames stay in memory, are looked at, and are gone. */

/** Frames looked at in a second: decoding one takes up to 50 ms, and the page is to stay usable. */
const FRAMES_PER_SECOND = 5;

/** Larger frames show no more of a code held before a camera. Pixels. */
const MAX_SIDE = 800;

export type CameraFault = "noCamera" | "cameraDenied" | "cameraFailed";

/** There is no picture to look at, for this reason. */
export class CameraError extends Error {
  override readonly name = "CameraError";
  readonly fault: CameraFault;

  constructor(fault: CameraFault) {
    super(fault);
    this.fault = fault;
  }
}

type Decode = (image: {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}) => Uint8Array | null;

/**
 * Shows the camera in `video`, and calls `seen` with the bytes of every code in sight, until the returned function
 * is called. Throws CameraError.
 */
export async function watchCamera(
  video: HTMLVideoElement,
  seen: (bytes: Uint8Array) => void,
): Promise<() => void> {
  const [stream, decode] = await Promise.all([openCamera(), loadDecoder()]);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  video.srcObject = stream;
  const look = (): void => {
    const bytes = context === null ? null : readFrame(video, canvas, context, decode);
    if (bytes !== null) seen(bytes);
  };
  const timer = setInterval(look, 1000 / FRAMES_PER_SECOND);
  const stop = (): void => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    canvas.width = canvas.height = 0;
  };
  try {
    await video.play();
  } catch {
    stop();
    throw new CameraError("cameraFailed");
  }
  return stop;
}

/** Why a camera did not open, by the name of the browser's error (Media Capture and Streams, 10.2). */
export function cameraFault(name: string): CameraFault {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "cameraDenied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "noCamera";
    default:
      return "cameraFailed";
  }
}

async function openCamera(): Promise<MediaStream> {
  if (!("mediaDevices" in navigator)) throw new CameraError("noCamera"); // a page without TLS has none
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  } catch (error) {
    throw new CameraError(cameraFault(error instanceof DOMException ? error.name : ""));
  }
}

async function loadDecoder(): Promise<Decode> {
  const { decodeQR } = await import("qr/decode.js");
  return (image) => {
    try {
      return bytesOf(decodeQR(image, { textDecoder: lettersOf }));
    } catch {
      return null; // no code in this frame
    }
  };
}

function readFrame(
  video: HTMLVideoElement,
  canvas: HTMLCanvasElement,
  context: CanvasRenderingContext2D,
  decode: Decode,
): Uint8Array | null {
  const { videoWidth, videoHeight } = video;
  if (videoWidth === 0 || videoHeight === 0) return null;
  const scale = Math.min(1, MAX_SIDE / Math.max(videoWidth, videoHeight));
  canvas.width = Math.round(videoWidth * scale);
  canvas.height = Math.round(videoHeight * scale);
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  return decode(context.getImageData(0, 0, canvas.width, canvas.height));
}

/** The decoder gives text; one letter for each byte loses nothing. */
function lettersOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function bytesOf(letters: string): Uint8Array {
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0) & 0xff);
}

/** The keys at the end of a code: two of 32 bytes. What stands before them is the same in every code. */
const KEYS_BYTES = 64;

/** Whether some scanned bytes are a safety number's code at all, as `own` is one; a poster on the wall is not. */
export function isSafetyCode(scanned: Uint8Array, own: Uint8Array): boolean {
  if (own.length <= KEYS_BYTES || scanned.length !== own.length) return false;
  return own.subarray(0, own.length - KEYS_BYTES).every((byte, index) => scanned[index] === byte);
}
