/** Nodes and clients with certificates, as processes: who is served, and what the others are told. */
import { describe, expect } from "@effect/vitest"
import { Authority } from "@effect-raft/test-certificates/Authority"
import type { Files } from "@effect-raft/test-certificates/Authority"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs"
import * as Command from "./Command.ts"
import { scenario } from "./Command.ts"
import * as InProcess from "./InProcess.ts"
import * as Serving from "./Serving.ts"

const authority = new Authority()

const flagsOf = ({ authorityFile, certificateFile, keyFile }: Files) => [
  ...["--tls-cert", certificateFile],
  ...["--tls-key", keyFile],
  ...["--tls-ca", authorityFile]
]

/** Starts a node with these certificates and waits until it says that it is ready. */
const serve = Effect.fnUntraced(function* (place: Serving.Place, files: Files) {
  const running = yield* Command.start(["serve", ...place.flags, ...flagsOf(files)])
  yield* running.says(new RegExp(`^node ${place.id} ready: https://127.0.0.1:${place.httpPort}, `, "m"))
  return { ...running, url: `https://127.0.0.1:${place.httpPort}` }
})

const complaints = ({ complained }: InProcess.Ended) => complained.join("\n")

describe("a cluster with certificates", () => {
  scenario("serves a client that has one, through any node", () =>
    Effect.gen(function* () {
      const directory = yield* Command.temporaryDirectory
      const places = yield* Serving.places(2)
      const nodes = yield* Effect.forEach(places, (place) =>
        serve(place, authority.issue(directory, { name: place.id }))
      )
      const own = flagsOf(authority.issue(directory, { name: "me" }))
      const urls = nodes.map(({ url }) => url)
      const client = (args: ReadonlyArray<string>, url: string) =>
        InProcess.run([...args, "--endpoint", url, ...own])
      expect((yield* client(["put", "k", "v"], urls[0]!)).code).toBe(0)
      expect((yield* client(["get", "k"], urls[1]!)).bytes.toString()).toBe("v")
      const status = yield* client(["status"], urls.join(","))
      expect(status.said.join("\n")).toMatch(/n1 .*\n.*n2 /)
    })
  )

  scenario("tells a client without one, or in plain text, why it is refused, and a node its operator", () =>
    Effect.gen(function* () {
      const directory = yield* Command.temporaryDirectory
      const [place] = yield* Serving.places(1)
      const node = yield* serve(place!, authority.issue(directory, { name: "n1" }))

      const plain = yield* InProcess.run(["put", "k", "v", "--endpoint", place!.url])
      expect(plain.code).toBe(3)
      expect(complaints(plain)).toMatch(/This client is refused: it speaks plain text/)
      const status = yield* InProcess.run(["status", "--endpoint", place!.url])
      expect(status.code).toBe(3)
      expect(complaints(status)).toMatch(/does not answer: This client is refused: it speaks plain text/)

      const files = new Authority("another authority").issue(directory, { name: "stranger" })
      NodeFs.writeFileSync(files.authorityFile, authority.pem)
      const stranger = ["put", "k", "v", "--endpoint", node.url, ...flagsOf(files)]
      const refused = yield* InProcess.run(stranger)
      expect(refused.code).toBe(3)
      expect(complaints(refused)).toMatch(/CN=stranger.* authority that is not known here: CN=another auth/)
      expect(node.stderr()).toMatch(/Refused a client at 127\.0\.0\.1: it speaks plain text/)
      expect(node.stderr()).toMatch(/Refused a client at 127\.0\.0\.1: its certificate \(CN=stranger/)

      const trusting = flagsOf(new Authority("a third authority").issue(directory, { name: "lost" }))
      const lost = ["get", "k", "--endpoint", node.url, "--timeout", "5000", ...trusting]
      const distrusted = yield* InProcess.run(lost)
      expect(distrusted.code).toBe(3)
      expect(complaints(distrusted)).toMatch(
        /its certificate is of an authority that is not known here \(self-signed certificate in certificate chain\)/
      )
    })
  )

  scenario("does not start a node whose files do not fit, and says which", () =>
    Effect.gen(function* () {
      const directory = yield* Command.temporaryDirectory
      const [place] = yield* Serving.places(1)
      const start = (files: Files) => Command.run(["serve", ...place!.flags, ...flagsOf(files)])
      const good = authority.issue(directory, { name: "n1" })
      const foreign = yield* start(authority.issue(directory, { name: "n2" }))
      expect(foreign.code).toBe(1)
      expect(foreign.stderr).toMatch(
        /^effect-raft: .*this is node n1, but the certificate in .*n2\.crt names CN=n2/m
      )
      const missing = yield* start({ ...good, keyFile: "/nowhere.key" })
      expect(missing.code).toBe(1)
      expect(missing.stderr).toMatch(/^effect-raft: .*\/nowhere\.key cannot be read/m)
      expect(missing.stderr).not.toMatch(/^\s+at /m)
    })
  )
})
