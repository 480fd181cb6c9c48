/** Transcripts of the corpus, changed in the ways that parsers get wrong. */
import fc from "fast-check";
import type { Transcript } from "./corpus.js";

type Mutation = (octets: Buffer) => Buffer;

/** Changed transcripts may grow, but not past the point where only the receive buffer's limit would be tested. */
const MAX_LENGTH = 70_000;

/** A place in a transcript, whatever its length is by then. */
const place = fc.nat(0xffff);

function splice(octets: Buffer, at: number, remove: number, insert: Uint8Array): Buffer {
  const start = octets.length === 0 ? 0 : at % (octets.length + 1);
  return Buffer.concat([octets.subarray(0, start), insert, octets.subarray(start + remove)]);
}

function mutation(transcripts: readonly Transcript[]): fc.Arbitrary<Mutation> {
  const replace = fc
    .tuple(
      place,
      fc.oneof(fc.constantFrom(0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x7f, 0x80, 0xff), fc.nat(0xff)),
    )
    .map(
      ([at, octet]): Mutation =>
        (octets) =>
          splice(octets, at, 1, Buffer.of(octet)),
    );
  const replaceLength = fc.tuple(place, fc.constantFrom(0, 1, 2, 0xff, 0x100, 0x7fff, 0x8000, 0xffff)).map(
    ([at, length]): Mutation =>
      (octets) =>
        splice(octets, at, 2, Buffer.of(length >> 8, length & 0xff)),
  );
  const remove = fc.tuple(place, fc.integer({ min: 1, max: 8 })).map(
    ([at, count]): Mutation =>
      (octets) =>
        splice(octets, at, count, Buffer.alloc(0)),
  );
  const insert = fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 16 })).map(
    ([at, inserted]): Mutation =>
      (octets) =>
        splice(octets, at, 0, inserted),
  );
  const address = fc
    .tuple(place, fc.string({ unit: fc.constantFrom(..."0123456789abcdefxX:.%-_ \0[]"), maxLength: 40 }))
    .map(([at, text]): Mutation => {
      const name = Buffer.from(text, "latin1");
      return (octets) => splice(octets, at, name.length + 2, Buffer.of(0x03, name.length, ...name));
    });
  const stretch = fc.tuple(place, fc.constantFrom(255, 256, 4096, 65_535), fc.nat(0xff)).map(
    ([at, count, octet]): Mutation =>
      (octets) =>
        splice(octets, at, 0, Buffer.alloc(count, octet)),
  );
  const repeat = fc.tuple(place, fc.integer({ min: 1, max: 40 })).map(
    ([at, count]): Mutation =>
      (octets) =>
        splice(octets, at, 0, octets.subarray(at % (octets.length + 1), (at % (octets.length + 1)) + count)),
  );
  const cross = fc.tuple(place, place, fc.constantFrom(...transcripts)).map(
    ([at, from, { octets: other }]): Mutation =>
      (octets) =>
        Buffer.concat([
          octets.subarray(0, at % (octets.length + 1)),
          other.subarray(from % (other.length + 1)),
        ]),
  );
  const truncate = place.map(
    (at): Mutation =>
      (octets) =>
        octets.subarray(0, at % (octets.length + 1)),
  );
  return fc.oneof(
    { arbitrary: fc.oneof(replace, replaceLength, remove, insert, repeat, cross, truncate), weight: 20 },
    { arbitrary: address, weight: 6 },
    { arbitrary: stretch, weight: 1 },
  );
}

export function mutated(transcripts: readonly Transcript[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(
      fc.constantFrom(...transcripts),
      // One change goes deep, many go wide.
      fc.oneof(...[1, 2, 6].map((maxLength) => fc.array(mutation(transcripts), { maxLength }))),
    )
    .map(([{ octets }, mutations]) =>
      mutations.reduce<Buffer>((changed, change) => change(changed), octets).subarray(0, MAX_LENGTH),
    );
}

/** Sizes of the pieces that octets arrive in, taking turns. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 64 }), {
  minLength: 1,
  maxLength: 8,
});

export function cut(octets: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < octets.length; ) {
    const size = sizes[parts.length % sizes.length] as number;
    parts.push(octets.subarray(at, at + size));
    at += size;
  }
  return parts;
}
