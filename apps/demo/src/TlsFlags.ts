/**
 * `--tls-cert`, `--tls-key` and `--tls-ca`: the certificates of a node or of a client. They belong
 * together: a cluster that asks for certificates asks everybody for one.
 */
import type { TlsFiles } from "@effect-raft/transport-tcp/Credentials"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type CommandFailed, misuse } from "./ExitCode.ts"

const file = (name: string, description: string) =>
  Flag.File(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

/** The flags of whoever shows `whose` certificate. */
export const flags = (whose: string) => ({
  certificate: file("tls-cert", `${whose} certificate, in PEM (docs/guides/tls.md)`),
  key: file("tls-key", "The private key of --tls-cert, in PEM, without a passphrase"),
  authority: file("tls-ca", "The certificates of the authorities to trust, in PEM")
})

export interface Flags {
  readonly certificate: Option.Option<string>
  readonly key: Option.Option<string>
  readonly authority: Option.Option<string>
}

/** What is wrong with the flags together, or nothing. */
export const mistake = (input: Flags): string | undefined => {
  const missing = names.filter((_, at) => Option.isNone(inOrder(input)[at]!))
  return missing.length === 0 || missing.length === names.length
    ? undefined
    : `--tls-cert, --tls-key and --tls-ca belong together: ${missing.join(" and ")} missing`
}

/** The files that the flags name, all or none. */
export const filesOf = ({ authority, certificate, key }: Flags): TlsFiles | undefined =>
  Option.getOrUndefined(Option.all({ authorityFile: authority, certificateFile: certificate, keyFile: key }))

/** As {@link filesOf}, for commands that look at their flags when they run. */
export const requireFiles = (input: Flags): Effect.Effect<TlsFiles | undefined, CommandFailed> => {
  const wrong = mistake(input)
  return wrong === undefined ? Effect.succeed(filesOf(input)) : Effect.fail(misuse(wrong))
}

const names = ["--tls-cert", "--tls-key", "--tls-ca"]
const inOrder = ({ authority, certificate, key }: Flags) => [certificate, key, authority]
