/** Things to dispose of together, in the reverse order of their making. */
export class Owned {
  readonly #items: { dispose(): void }[] = [];

  own<T extends { dispose(): void }>(item: T): T {
    this.#items.push(item);
    return item;
  }

  dispose(): void {
    for (const item of this.#items.splice(0).reverse()) item.dispose();
  }
}

/** Runs `make`; when it throws half-way, what it owned until then is disposed of. */
export async function owning<T>(make: (owned: Owned) => Promise<T>): Promise<T> {
  const owned = new Owned();
  try {
    return await make(owned);
  } catch (error) {
    owned.dispose();
    throw error;
  }
}
