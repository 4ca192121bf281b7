/**
 * A node's certificate, its key and the authorities that it trusts, from files.
 *
 * The files are looked at again from time to time: who renews a certificate replaces the files, and new
 * connections use them. Files that do not fit together are complained of, and those before stay in use.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as NodeCrypto from "node:crypto"
import * as NodeFs from "node:fs/promises"
import * as Tls from "node:tls"
import { namesOf } from "./Certificate.ts"

/** Where certificates lie; all files are in PEM. */
export interface TlsFiles {
  /** This node's certificate. Those between it and the authority may follow in the same file. */
  readonly certificateFile: string
  /** The private key of the certificate, without a passphrase. */
  readonly keyFile: string
  /** The certificates of the authorities whose certificates are believed. */
  readonly authorityFile: string
}

/** The contents of the files, in PEM. */
export interface Pem {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** Certificates that fit together, the newest that there are. */
export interface Credentials {
  readonly files: TlsFiles
  readonly pem: () => Pem
  /** This node's own certificate. */
  readonly certificate: () => NodeCrypto.X509Certificate
}

/** A file that cannot be read, or that does not hold what it should. */
export class CredentialsInvalid extends Schema.TaggedError<CredentialsInvalid>()("CredentialsInvalid", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** How often the files are looked at, in milliseconds. */
const lookAgainMillis = 10_000

/** Reads the files, and reads them again when they change, until the scope closes. */
export const make: (files: TlsFiles) => Effect.Effect<Credentials, CredentialsInvalid, Scope.Scope> =
  Effect.fnUntraced(function* (files) {
    let present = yield* load(files)
    let complaint = ""

    const lookAgain = load(files).pipe(
      Effect.flatMap((loaded) => {
        complaint = ""
        if (isSame(loaded.pem, present.pem)) return Effect.void
        present = loaded
        return Effect.logInfo(`New connections use the renewed certificate ${describe(loaded.certificate)}`)
      }),
      Effect.catch(({ detail }) => {
        if (detail === complaint) return Effect.void
        complaint = detail
        return Effect.logWarning(`${detail}; the certificate before it stays in use`)
      })
    )
    yield* Effect.forkScoped(
      Effect.forever(Effect.andThen(Effect.sleep(lookAgainMillis), lookAgain)).pipe(
        Effect.annotateLogs({ fiber: "certificates" })
      )
    )
    return { files, pem: () => present.pem, certificate: () => present.certificate }
  })

interface Loaded {
  readonly pem: Pem
  readonly certificate: NodeCrypto.X509Certificate
}

/** Reads the files once and holds them against each other. */
export const load: (files: TlsFiles) => Effect.Effect<Loaded, CredentialsInvalid> = Effect.fnUntraced(
  function* ({ authorityFile, certificateFile, keyFile }) {
    const pem = yield* Effect.all(
      { cert: read(certificateFile), key: read(keyFile), ca: read(authorityFile) },
      { concurrency: "unbounded" }
    )
    const certificate = yield* attempt(
      () => new NodeCrypto.X509Certificate(pem.cert),
      `${certificateFile} holds no certificate in PEM`
    )
    yield* attempt(
      () => new NodeCrypto.X509Certificate(pem.ca),
      `${authorityFile} holds no certificate in PEM`
    )
    const key = yield* attempt(
      () => NodeCrypto.createPrivateKey(pem.key),
      `${keyFile} holds no private key in PEM without a passphrase`
    )
    if (!certificate.checkPrivateKey(key)) {
      return yield* invalid(`${keyFile} is not the key of the certificate in ${certificateFile}`)
    }
    if (certificate.validToDate.getTime() <= (yield* Clock.currentTimeMillis)) {
      return yield* invalid(
        `the certificate in ${certificateFile} has expired: it was valid to ${certificate.validTo}`
      )
    }
    yield* attempt(
      () => Tls.createSecureContext(pem),
      `${certificateFile}, ${keyFile} and ${authorityFile} cannot be used together`
    )
    return { pem, certificate }
  }
)

const read = (file: string) =>
  Effect.tryPromise({
    try: () => NodeFs.readFile(file, "utf8"),
    catch: (error) => new CredentialsInvalid({ detail: `${file} cannot be read: ${messageOf(error)}` })
  })

const attempt = <A>(evaluate: () => A, detail: string): Effect.Effect<A, CredentialsInvalid> =>
  Effect.try({
    try: evaluate,
    catch: (error) => new CredentialsInvalid({ detail: `${detail} (${messageOf(error)})` })
  })

const invalid = (detail: string) => Effect.fail(new CredentialsInvalid({ detail }))

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isSame = (one: Pem, other: Pem): boolean =>
  one.cert === other.cert && one.key === other.key && one.ca === other.ca

const describe = (certificate: NodeCrypto.X509Certificate): string =>
  `(${namesOf(certificate)}), valid to ${certificate.validTo}`
