/**
 * What is open at the moment, in the order in which it came. Not a Set: where much comes and goes, V8 gives a Set one table
 * after the other, each of which knows the next; once the first has grown old, all of them wait for a mark-compact, with
 * whatever was in them when they were replaced.
 */
export class OpenList<T> {
  #first: Node<T> | null = null;
  #last: Node<T> | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns takes it out again. Idempotent */
  add(value: T): () => void {
    const node: Node<T> = { value, before: this.#last, next: null, listed: true };
    if (this.#last === null) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size += 1;
    return () => this.#remove(node);
  }

  /** Those that are open now, whatever becomes of them meanwhile. */
  all(): T[] {
    const values: T[] = [];
    for (let node = this.#first; node !== null; node = node.next) values.push(node.value);
    return values;
  }

  #remove(node: Node<T>): void {
    if (!node.listed) return;
    const { before, next } = node;
    if (before === null) this.#first = next;
    else before.next = next;
    if (next === null) this.#last = before;
    else next.before = before;
    // What is gone and old must not hold what is young.
    node.before = null;
    node.next = null;
    node.listed = false;
    this.#size -= 1;
  }
}

interface Node<T> {
  readonly value: T;
  before: Node<T> | null;
  next: Node<T> | null;
  listed: boolean;
}
