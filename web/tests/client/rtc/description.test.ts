import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { IceCandidate } from "../../../core/content/index.ts";
import { ascii } from "../../../core/encoding.ts";
import { LocalProtocolError, MalformedError } from "../../../core/errors.ts";
import {
  readCandidate,
  readDescription,
  readFingerprint,
  writeCandidate,
  writeDescription,
} from "../../../client/rtc/description.ts";

const CREDENTIALS = { ufrag: "aB3+", pwd: "0123456789/+abcdefghIJ" };
const FINGERPRINT = Uint8Array.from({ length: 32 }, (_, i) => i * 8);
const MDNS = "0a1b2c3d-0123-4567-89ab-0123456789ab.local";

/** What Chromium writes of itself, shortened. */
const OWN = [
  "v=0",
  "o=- 5214 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 0.0.0.0",
  "a=ice-ufrag:NbhR",
  "a=ice-pwd:yYaDLGC1yZQy0ZkNkyPC+Rnz",
  "a=ice-options:trickle",
  "a=fingerprint:sha-256 00:11",
  "a=mid:0",
  "",
].join("\r\n");

describe("a description", () => {
  it("of the peer has one fingerprint, of the handshake, and no line that was not written here", () => {
    const lines = writeDescription("answer", CREDENTIALS, FINGERPRINT, 3).split("\r\n");
    expect(lines.filter((line) => line.startsWith("a=fingerprint:"))).toEqual([
      `a=fingerprint:sha-256 ${[...FINGERPRINT].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":")}`,
    ]);
    expect(lines.filter((line) => line.startsWith("m="))).toEqual([
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    ]);
    expect(lines).toContain("a=setup:active"); // the answerer is the DTLS client
    expect(lines).toContain("a=max-message-size:262144");
    expect(lines).toContain("o=- 1 3 IN IP4 127.0.0.1");
    expect(writeDescription("offer", CREDENTIALS, FINGERPRINT, 1)).toContain("\r\na=setup:actpass\r\n");
    expect(readDescription(lines.join("\r\n"))).toEqual(CREDENTIALS);
  });

  it.each(["abc", "a".repeat(33), "abc\r\na=x", "ab c", "abcé", "abc-", ""])(
    "refuses the name %o",
    (ufrag) => {
      expect(() => writeDescription("offer", { ...CREDENTIALS, ufrag }, FINGERPRINT, 1)).toThrow(
        LocalProtocolError,
      );
    },
  );

  it("refuses odd passwords and fingerprints of another length", () => {
    for (const pwd of ["p".repeat(21), "p".repeat(129), `${"p".repeat(22)}\n`]) {
      expect(() => writeDescription("offer", { ...CREDENTIALS, pwd }, FINGERPRINT, 1)).toThrow(
        LocalProtocolError,
      );
    }
    expect(() => writeDescription("offer", CREDENTIALS, FINGERPRINT.subarray(1), 1)).toThrow(
      LocalProtocolError,
    );
  });

  it("of this browser gives ICE's name and password, if there is one of each", () => {
    expect(readDescription(OWN)).toEqual({ ufrag: "NbhR", pwd: "yYaDLGC1yZQy0ZkNkyPC+Rnz" });
    expect(readDescription(OWN.replaceAll("\r\n", "\n")).ufrag).toBe("NbhR");
    for (const odd of [
      OWN.replace("a=ice-ufrag:NbhR\r\n", ""),
      OWN.replace("a=mid:0", "a=ice-ufrag:Nbhr"),
      OWN.replace("NbhR", "Nb R"),
      OWN.replace("a=ice-pwd:yYaD", "a=ice-pwd:\u00e9"),
      OWN.replace("m=application", "m=audio"),
      OWN.replace("a=mid:0", "m=video 9 UDP/TLS/RTP/SAVPF 96"),
      "",
    ]) {
      expect(() => readDescription(odd)).toThrow(MalformedError);
    }
  });
});

describe("a fingerprint", () => {
  it("is 32 bytes in hex and colons, in either case, and nothing else", () => {
    const text = [...FINGERPRINT].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
    expect(readFingerprint(text)).toEqual(FINGERPRINT);
    expect(readFingerprint(text.toUpperCase())).toEqual(FINGERPRINT);
    for (const odd of [text.slice(3), `${text}:00`, text.replace("08", "8"), text.replace("08", "0g"), ""]) {
      expect(() => readFingerprint(odd)).toThrow(MalformedError);
    }
  });
});

describe("candidates", () => {
  it.each<[string, Partial<IceCandidate> | null]>([
    [
      "candidate:1 1 udp 2113937151 192.0.2.7 54400 typ host generation 0 ufrag NbhR network-cost 999",
      { kind: 1, priority: 2_113_937_151, address: Uint8Array.of(192, 0, 2, 7), port: 54_400 },
    ],
    [`candidate:a+/1 1 UDP 1 ${MDNS} 9 typ host`, { kind: 1, address: ascii(MDNS), port: 9 }],
    [`a=candidate:1 1 udp 1 ${MDNS.toUpperCase()} 9 typ host`, { address: ascii(MDNS) }],
    ["candidate:1 1 udp 1 203.0.113.9 9 typ srflx raddr 10.0.0.1 rport 8", { kind: 2 }],
    [
      "candidate:1 1 udp 41885695 2001:db8::7 49160 typ relay raddr 0.0.0.0 rport 0",
      { kind: 3, address: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7) },
    ],
    ["candidate:1 1 udp 1 ::ffff:192.0.2.1 9 typ host", { kind: 1 }],
    ["candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active", null],
    ["candidate:1 2 udp 1 192.0.2.7 9 typ host", null],
    ["candidate:1 1 udp 1 192.0.2.7 9 typ prflx", null],
    ["candidate:1 1 udp 1 192.0.2.256 9 typ host", null],
    ["candidate:1 1 udp 1 192.0.2 9 typ host", null],
    ["candidate:1 1 udp 1 printer.local 9 typ host", null],
    ["candidate:1 1 udp 1 2001::db8::7 9 typ host", null],
    ["candidate:1 1 udp 1 2001:db8 9 typ host", null],
    ["candidate:1 1 udp 1 192.0.2.7 0 typ host", null],
    ["candidate:1 1 udp 1 192.0.2.7 65536 typ host", null],
    ["candidate:1 1 udp 4294967296 192.0.2.7 9 typ host", null],
    ["", null],
  ])("of this browser: %s", (line, expected) => {
    const read = readCandidate(line);
    if (expected === null) expect(read).toBeNull();
    else expect(read?.candidate).toMatchObject(expected);
  });

  it("say which description they belong to, where the browser does", () => {
    const line = "candidate:1 1 udp 1 192.0.2.7 9 typ host generation 0 ufrag Nb+/ network-cost 999";
    expect(readCandidate(line)?.ufrag).toBe("Nb+/");
    expect(readCandidate("candidate:1 1 udp 1 192.0.2.7 9 typ host")?.ufrag).toBeNull();
  });

  it("of the peer are written as they are read", () => {
    const address = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.constant(ascii(MDNS)),
    );
    const candidate = fc.record({
      kind: fc.constantFrom(1 as const, 2 as const, 3 as const),
      priority: fc.nat(0xffff_ffff),
      address,
      port: fc.integer({ min: 1, max: 0xffff }),
    });
    fc.assert(
      fc.property(candidate, (written) => {
        const line = writeCandidate(written, 7);
        expect(line).toMatch(
          /^candidate:7 1 udp [0-9]+ [0-9a-f.:-]+(?:\.local)? [0-9]+ typ [a-z]+(?: raddr 0\.0\.0\.0 rport 9)?$/u,
        );
        expect(readCandidate(line)?.candidate).toEqual(written);
      }),
    );
  });

  it("of the peer with an address that is none are refused", () => {
    const odd = {
      kind: 1,
      priority: 1,
      address: ascii("192.0.2.7 9 typ host\r\na=fingerprint:sha-1 00"),
      port: 1,
    } as const;
    expect(() => writeCandidate(odd, 1)).toThrow(LocalProtocolError);
    expect(() => writeCandidate({ ...odd, kind: 4 as 1, address: new Uint8Array(4) }, 1)).toThrow(
      LocalProtocolError,
    );
  });
});
