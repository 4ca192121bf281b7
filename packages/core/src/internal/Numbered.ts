/**
 * Things that stand under consecutive numbers and are taken away more or less in that order: calls that
 * wait, by what names them.
 *
 * A `Map` would do, but for one thing. One that lives for ever, and whose keys change all the time, gets a new
 * table every so often, and each old table knows the one after it. As soon as one of them has reached the old
 * generation, all that follow it, and all that was in them, count as reachable until the next major
 * collection: about 1 KB for each operation, as measured.
 *
 * A thing that stays for long keeps the places of those after it, 8 bytes each; calls end in bounded time.
 */

/** Taken places in front are given back when they are so many, and half of all. */
const slackPlaces = 512

export class Numbered<A> {
  /** The place `i` is that of the number `first + i`. */
  private readonly places: Array<A | undefined> = []
  private first: number
  /** All places before this one are taken. */
  private head = 0
  private count = 0

  /** `first` is the number of what is added first. */
  constructor(first = 0) {
    this.first = first
  }

  /** How many stand here. */
  get size(): number {
    return this.count
  }

  /** Adds `item` under the next number, and gives that. */
  add(item: A): number {
    this.places.push(item)
    this.count += 1
    return this.first + this.places.length - 1
  }

  /** Puts `item` under a number of its own: where nothing stands, and after all that does. */
  put(number: number, item: A): void {
    if (this.count === 0 && number !== this.first + this.places.length) this.restartAt(number)
    const place = number - this.first
    while (this.places.length < place) this.places.push(undefined)
    this.places[place] = item
    this.count += 1
  }

  get(number: number): A | undefined {
    const place = number - this.first
    return place < this.head ? undefined : this.places[place]
  }

  /** Takes away what stands under `number`. */
  take(number: number): A | undefined {
    const place = number - this.first
    // Not left to the array: a place below 0 is looked for by name, which takes a microsecond, and a node that was
    // restarted asks so for every entry before the one that somebody waits for.
    if (place < this.head) return undefined
    const item = this.places[place]
    if (item === undefined) return undefined
    this.places[place] = undefined
    this.count -= 1
    if (place === this.head) this.moveUp()
    return item
  }

  /** What stands under the lowest number. */
  oldest(): A | undefined {
    return this.count === 0 ? undefined : this.places[this.head]
  }

  /** Takes away, from the lowest number on, all up to the first that `predicate` does not hold for. */
  takeWhile(predicate: (item: A) => boolean): Array<A> {
    const taken: Array<A> = []
    for (let item = this.oldest(); item !== undefined && predicate(item); item = this.oldest()) {
      this.take(this.first + this.head)
      taken.push(item)
    }
    return taken
  }

  /** Takes away all that `predicate` holds for, in the order of their numbers. */
  takeWhere(predicate: (item: A, number: number) => boolean): Array<A> {
    const { first } = this
    const numbers: Array<number> = []
    this.places.forEach((item, place) => {
      if (item !== undefined && predicate(item, first + place)) numbers.push(first + place)
    })
    return numbers.map((number) => this.take(number)!)
  }

  private moveUp(): void {
    const { places } = this
    while (this.head < places.length && places[this.head] === undefined) this.head += 1
    if (this.head < slackPlaces || this.head * 2 < places.length) return
    places.splice(0, this.head)
    this.first += this.head
    this.head = 0
  }

  private restartAt(number: number): void {
    this.places.length = 0
    this.head = 0
    this.first = number
  }
}
