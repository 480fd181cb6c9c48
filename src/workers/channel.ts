/**
 * Calls between the primary and one worker, in order, each way. What is said in one turn of the event loop goes as one
 * message: at thousands of sessions a second that is what it costs.
 */

import type { SendHandle } from "node:child_process";

/** A child process, or in the child `process` itself. */
export interface Port {
  readonly connected?: boolean;
  send?(message: unknown, handle: SendHandle | undefined, callback: (error: Error | null) => void): boolean;
  on(event: "message", listener: (message: unknown, handle: unknown) => void): unknown;
}

type Args<F> = F extends (...args: infer A) => unknown ? A : never;
type Answer<F> = F extends (...args: never) => infer R ? R : never;

/** Carries out the calls of `Calls`, at once or later. Arguments and answers are what JSON can tell. */
export type Handlers<Calls> = {
  [Name in keyof Calls]: (...args: Args<Calls[Name]>) => Answer<Calls[Name]> | Promise<Answer<Calls[Name]>>;
};

type Message =
  /** `id` where there is to be an answer. */
  { call: string; args: unknown[]; id?: number } | { answer: number; value: unknown };

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** @typeParam Theirs what the other side carries out. @typeParam Ours what we do */
export class Channel<Theirs, Ours> {
  readonly #port: Port;
  readonly #handlers: Record<string, (...args: unknown[]) => unknown>;
  readonly #asked = new Map<number, Asked>();
  #queue: Message[] = [];
  #last = 0;
  #closed: Error | null = null;

  constructor(port: Port, handlers: Handlers<Ours>) {
    this.#port = port;
    this.#handlers = handlers as Record<string, (...args: unknown[]) => unknown>;
    port.on("message", (batch, handle) => {
      for (const message of batch as Message[]) this.#received(message, handle);
    });
  }

  /** @throws what {@link close} was given */
  call<Name extends keyof Theirs & string>(
    name: Name,
    ...args: Args<Theirs[Name]>
  ): Promise<Answer<Theirs[Name]>> {
    return this.#ask(name, args);
  }

  /** Of a call that takes an open handle and nothing else. It must stay open until there is an answer. */
  hand<Name extends keyof Theirs & string>(name: Name, handle: SendHandle): Promise<Answer<Theirs[Name]>> {
    return this.#ask(name, [], handle);
  }

  #ask<A>(call: string, args: unknown[], handle?: SendHandle): Promise<A> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) return reject(this.#closed);
      this.#last += 1;
      this.#asked.set(this.#last, { resolve: resolve as Asked["resolve"], reject });
      this.#send({ call, args, id: this.#last }, handle);
    });
  }

  /** The same, without an answer. */
  tell<Name extends keyof Theirs & string>(name: Name, ...args: Args<Theirs[Name]>): void {
    this.#send({ call: name, args });
  }

  /** Nobody is there any more: what was asked has no answer but `reason`. */
  close(reason: Error): void {
    this.#closed = reason;
    for (const { reject } of this.#asked.values()) reject(reason);
    this.#asked.clear();
  }

  #received(message: Message, handle: unknown): void {
    if ("answer" in message) {
      this.#asked.get(message.answer)?.resolve(message.value);
      this.#asked.delete(message.answer);
      return;
    }
    const { call, args, id } = message;
    const value = this.#handlers[call]?.(...(handle === undefined ? args : [handle]));
    if (id === undefined) return;
    if (value instanceof Promise) void value.then((later) => this.#send({ answer: id, value: later }));
    else this.#send({ answer: id, value });
  }

  /** A handle goes with one message, behind those that wait. */
  #send(message: Message, handle?: SendHandle): void {
    if (this.#queue.length === 0 && handle === undefined) setImmediate(() => this.#flush());
    if (handle !== undefined) this.#flush();
    this.#queue.push(message);
    if (handle !== undefined) this.#flush(handle);
  }

  #flush(handle?: SendHandle): void {
    const batch = this.#queue;
    this.#queue = [];
    // That the other side is gone is learned from its end.
    if (batch.length > 0 && this.#port.connected) this.#port.send?.(batch, handle, () => {});
  }
}
