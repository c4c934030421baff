/**
 * One side of a handshake for another implementation to talk to: a JSON object per line in, one per line out.
 *
 * Byte strings are hex. What it prints includes the session's secrets, for comparison: identities are made here,
 * at random, and serve one test. `tests/interop/test_handshake.py` is the other side.
 */

import { createInterface } from "node:readline";

import { DeviceKind } from "../../core/certificate.ts";
import { fromHex, toHex } from "../../core/encoding.ts";
import { HandshakeError, WhispError } from "../../core/errors.ts";
import {
  type AnsweredCall,
  type CallFlags,
  type CancelReason,
  type ConfirmedCall,
  type DeclineReason,
  type IncomingCall,
  type OfferedCall,
  placeOffer,
  receiveOffer,
  type SessionSecrets,
} from "../../core/handshake/index.ts";
import {
  AccountKey,
  DeviceKeys,
  issueCertificate,
  issueDeviceList,
  LocalDevice,
} from "../../core/identity.ts";
import { asAccountId, asCallId } from "../../core/ids.ts";
import { decodeBundle, encodeBundle } from "../../core/prekey.ts";
import { PreKeyStore } from "../../core/prekeys.ts";
import { safetyNumber, sessionCode } from "../../core/safety-number.ts";
import { primitives } from "../platform.ts";

type Fields = Record<string, string>;
interface Command {
  readonly do: string;
  readonly now: number;
  readonly bytes: Fields;
  readonly numbers: Record<string, number>;
}

/** One identity and the call it is in. */
class Peer {
  readonly #account: AccountKey;
  readonly #local: LocalDevice;
  readonly #prekeys: PreKeyStore;
  #offered: OfferedCall | null = null;
  #incoming: IncomingCall | null = null;
  #answered: AnsweredCall | null = null;

  private constructor(account: AccountKey, local: LocalDevice) {
    this.#account = account;
    this.#local = local;
    this.#prekeys = new PreKeyStore(primitives, local.keys);
  }

  static async create(now: number): Promise<Peer> {
    const account = await AccountKey.generate(primitives);
    const keys = await DeviceKeys.generate(primitives);
    const certificate = await issueCertificate(account, keys.public, DeviceKind.WEB, now);
    const list = await issueDeviceList(primitives, account, [certificate], now, null);
    return new Peer(account, await LocalDevice.create(primitives, certificate, list, keys));
  }

  async obey({ do: what, now, bytes, numbers }: Command): Promise<object> {
    const given = (name: string): Uint8Array => fromHex(needed(bytes[name]));
    const number = (name: string): number => needed(numbers[name]);
    switch (what) {
      case "bundle": {
        const [signed, oneTime] = await this.#prekeys.publish(now);
        const { certificate, deviceList } = this.#local;
        const once = number("has_one_time") === 1 ? needed(oneTime) : null;
        return {
          account: toHex(this.#account.public),
          bundle: toHex(encodeBundle({ certificate, deviceList, signed: needed(signed), oneTime: once })),
        };
      }
      case "ring": {
        const proposal = {
          callId: asCallId(given("call_id")),
          transport: given("transport"),
          fingerprint: given("fingerprint"),
          callFlags: number("call_flags") as CallFlags,
        };
        const bundle = decodeBundle(given("bundle"));
        this.#offered = await placeOffer(primitives, this.#local, bundle, null, proposal, now);
        return { offer: toHex(this.#offered.offer) };
      }
      case "hear": {
        const { peer, callId, transport, fingerprint, callFlags, listView } = (this.#incoming =
          await receiveOffer(primitives, this.#local, this.#prekeys, given("offer"), () => null, now));
        return {
          account: toHex(peer.account),
          device: toHex(peer.device),
          call_id: toHex(callId),
          transport: toHex(transport),
          fingerprint: toHex(fingerprint),
          call_flags: callFlags,
          list_view: listView,
        };
      }
      case "accept": {
        const incoming = needed(this.#incoming);
        const taken = await incoming.accept(given("transport"), given("fingerprint"), now);
        this.#answered = taken.answered;
        return { answer: toHex(taken.answer) };
      }
      case "receive answer": {
        const confirmed: ConfirmedCall = await needed(this.#offered).receiveAnswer(given("answer"), now);
        return {
          confirm: toHex(confirmed.confirm(given("first_message"))),
          transport: toHex(confirmed.transport),
          fingerprint: toHex(confirmed.fingerprint),
          list_view: confirmed.listView,
          ...(await shown(confirmed.secrets)),
        };
      }
      case "receive confirm": {
        const { secrets, firstMessage } = await needed(this.#answered).receiveConfirm(given("confirm"));
        return { first_message: toHex(firstMessage), ...(await shown(secrets)) };
      }
      case "decline":
        return { message: toHex(await needed(this.#incoming).decline(number("reason") as DeclineReason)) };
      case "cancel":
        return { message: toHex(await needed(this.#offered).cancel(number("reason") as CancelReason)) };
      case "receive decline":
        return { reason: await needed(this.#offered).receiveDecline(given("message")) };
      case "receive cancel":
        return { reason: await needed(this.#answered ?? this.#incoming).receiveCancel(given("message")) };
      case "safety number":
        return {
          number: await safetyNumber(primitives, this.#account.public, asAccountId(given("account"))),
        };
      default:
        throw new Error(`no such command: ${what}`);
    }
  }
}

async function shown(secrets: SessionSecrets): Promise<object> {
  const exporter = secrets.exporter.expose();
  return {
    session: {
      sid: toHex(secrets.sid),
      root_key: toHex(secrets.rootKey.expose()),
      pq_root: toHex(secrets.pqRoot.expose()),
      pq_chain_a: toHex(secrets.pqChainA.expose()),
      pq_chain_b: toHex(secrets.pqChainB.expose()),
      exporter: toHex(exporter),
      ratchet_key: toHex(secrets.ratchetPublicKey),
      code: await sessionCode(primitives, exporter),
    },
  };
}

function needed<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("a command out of turn, or without a field");
  return value;
}

let peer: Peer | null = null;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  let result: object;
  try {
    if (command.do === "begin") {
      peer = await Peer.create(command.now);
      result = {};
    } else {
      result = await needed(peer).obey(command);
    }
  } catch (error) {
    if (!(error instanceof WhispError)) throw error;
    result = { error: error.name, refused: error instanceof HandshakeError ? error.reason : null };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
