/** From a finished handshake to a session that can speak. */

import { digestDeviceList } from "../core/device-list.ts";
import type { SessionSecrets } from "../core/handshake/index.ts";
import type { PeerIdentity } from "../core/identity.ts";
import type { Primitives } from "../core/primitives.ts";
import { Ratchet, type RatchetSecrets } from "../core/ratchet.ts";
import { Session } from "../core/session.ts";
import type { Member } from "./people.ts";

/** The session of these secrets, which are wiped, or handed over: the session owns its copies. */
export async function openSession(
  primitives: Primitives,
  secrets: SessionSecrets,
  own: Member,
  peer: Member,
  identity: PeerIdentity,
  now: number,
): Promise<Session> {
  const { deviceList } = identity;
  const heldList = {
    version: deviceList.version,
    digest: await digestDeviceList(primitives, deviceList),
  };
  const exposed: RatchetSecrets = {
    sid: secrets.sid.slice(),
    rootKey: secrets.rootKey.expose(),
    pqRoot: secrets.pqRoot.expose(),
    pqChainA: secrets.pqChainA.expose(),
    pqChainB: secrets.pqChainB.expose(),
  };
  const key = secrets.ratchetPrivateKey;
  const ratchet =
    key === null
      ? Ratchet.initiator(primitives, exposed, secrets.ratchetPublicKey, now)
      : Ratchet.responder(primitives, exposed, key, now);
  for (const secret of [exposed.rootKey, exposed.pqRoot, exposed.pqChainA, exposed.pqChainB]) secret.fill(0);
  const session = new Session({
    primitives,
    ratchet,
    sid: exposed.sid,
    exporter: secrets.exporter.copy(),
    local: { account: own.account, device: own.device },
    remote: { account: peer.account, device: peer.device },
    now,
    heldList,
  });
  if (key === null) secrets.wipe();
  else wipeAllButTheKey(secrets); // the ratchet owns that pair now
  return session;
}

function wipeAllButTheKey(secrets: SessionSecrets): void {
  const { rootKey, pqRoot, pqChainA, pqChainB, exporter } = secrets;
  for (const secret of [rootKey, pqRoot, pqChainA, pqChainB, exporter]) secret.wipe();
  secrets.sid.fill(0);
}
