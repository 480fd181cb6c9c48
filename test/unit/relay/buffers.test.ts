// Lent buffers: not given to another while somebody still reads them, given back when they were written.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Writable } from "node:stream";
import { test } from "node:test";
import { writeBatch } from "../../../src/relay/batch.js";
import { BufferPool } from "../../../src/relay/buffer-pool.js";
import { contexts } from "./established-contexts.js";
import { drain } from "./frames.js";
import { ENGINES, protect } from "./protections.js";

test("the pool lends what was given back, and keeps no more than it may", () => {
  const pool = new BufferPool(100, 2);
  const lent = [pool.take(), pool.take(), pool.take()];
  assert.equal(new Set(lent).size, 3);
  assert.ok(lent.every((buffer) => buffer.length === 100));
  for (const buffer of lent) pool.give(buffer);
  const again = [pool.take(), pool.take(), pool.take()];
  assert.equal(again.filter((buffer) => lent.includes(buffer)).length, 2);
  assert.equal(new Set(again).size, 3);
});

for (const engine of ENGINES) {
  test(`a batch that is not released keeps its memory through whatever is sealed and opened meanwhile (${engine})`, async (t) => {
    const { initiator, acceptor } = await (await contexts(t))();
    const client = protect(initiator, "confidentiality", engine);
    const server = protect(acceptor, "confidentiality", engine);
    const plains = Array.from({ length: 100 }, (_, index) => randomBytes(30_000 + index * 700));
    const sealed = plains.map((plain) => client.seal(plain));
    const opened = sealed.map((batch) => {
      const stream = Buffer.concat(batch.buffers);
      // In two reads, so that each frame passes through a lent buffer.
      const first = server.open(Buffer.from(stream.subarray(0, 9)));
      first.release();
      return server.open(Buffer.from(stream.subarray(9)));
    });
    for (const batch of sealed) batch.release();
    for (const [index, batch] of opened.entries()) {
      assert.ok(Buffer.concat(batch.buffers).equals(plains[index] as Buffer), `batch ${index}`);
      batch.release();
    }
  });

  test(`released memory is used again (${engine})`, async (t) => {
    const { initiator } = await (await contexts(t))();
    const client = protect(initiator, "confidentiality", engine);
    const memory = new Set<ArrayBufferLike>();
    for (let turn = 0; turn < 200; turn += 1) {
      const batch = client.seal(Buffer.alloc(65_536));
      for (const buffer of batch.buffers) memory.add(buffer.buffer);
      drain(batch);
    }
    assert.equal(memory.size, 1);
  });
}

/** A destination that takes chunks when it is told to, and remembers how they came. */
class Held extends Writable {
  readonly writes: number[] = [];
  #go: (() => void) | null = null;

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.writes.push(chunks.length);
    this.#go = callback;
  }

  override _write(_chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.writes.push(1);
    this.#go = callback;
  }

  go(error?: Error): void {
    const go = this.#go as ((error?: Error) => void) | null;
    this.#go = null;
    go?.(error);
  }
}

test("a batch goes out as one write, and is released when that is done", async () => {
  const to = new Held();
  let released = 0;
  const buffers = [Buffer.from("a"), Buffer.from("b"), Buffer.from("c")];
  const written = new Promise((resolve) =>
    writeBatch(to, { buffers, release: () => (released += 1) }, resolve),
  );
  assert.deepEqual(to.writes, [3]);
  assert.equal(released, 0);
  to.go();
  await written;
  assert.equal(released, 1);
});

test("a batch is released once where its write fails, or there was nothing to write", async () => {
  const to = new Held();
  to.on("error", () => {});
  let released = 0;
  const failed = new Promise((resolve) =>
    writeBatch(to, { buffers: [Buffer.from("a")], release: () => (released += 1) }, resolve),
  );
  const behind = new Promise((resolve) =>
    writeBatch(
      to,
      { buffers: [Buffer.from("b"), Buffer.from("c")], release: () => (released += 1) },
      resolve,
    ),
  );
  to.go(new Error("broken"));
  assert.match(String(await failed), /broken/);
  assert.ok((await behind) instanceof Error);
  assert.equal(released, 2);
  writeBatch(to, { buffers: [], release: () => (released += 1) });
  assert.equal(released, 3);
});
