/**
 * Certificates for tests: an authority of one's own, and what it signs.
 *
 * Nothing of this is kept or committed, and no `openssl` has to be installed: Node can read certificates
 * but not make them, so `node-forge` does. All of them share one key of 2,048 bits, for making keys takes
 * most of the time; a test that is about a key that does not fit asks for another.
 */
import forge from "node-forge"
import * as NodeCrypto from "node:crypto"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"

/** The three files that a node or a client is started with. */
export interface Files {
  readonly certificateFile: string
  readonly keyFile: string
  readonly authorityFile: string
}

/** What a certificate says; all but the name has a default. */
export interface Wanted {
  /** The subject's common name. */
  readonly name: string
  /** DNS names beside it. Default: the common name. */
  readonly dnsNames?: ReadonlyArray<string>
  /** The first and last moment of its life, as milliseconds from now. Default: an hour ago, and a day. */
  readonly fromMillis?: number
  readonly toMillis?: number
  /** What it may be used for. Default: both. */
  readonly usages?: ReadonlyArray<"clientAuth" | "serverAuth">
}

interface Pair {
  readonly certificate: forge.pki.Certificate
  readonly keys: Keys
}

interface Keys {
  readonly privatePem: string
  readonly private: forge.pki.rsa.PrivateKey
  readonly public: forge.pki.rsa.PublicKey
}

const makeKeys = (): Keys => {
  const { privateKey, publicKey } = NodeCrypto.generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  })
  return {
    privatePem: privateKey,
    private: forge.pki.privateKeyFromPem(privateKey),
    public: forge.pki.publicKeyFromPem(publicKey)
  }
}

let shared: Keys | undefined
const sharedKeys = (): Keys => (shared ??= makeKeys())

/** An authority: signs certificates, and writes the files of those it signed. */
export class Authority {
  readonly name: string
  private readonly root: Pair

  constructor(name = "test authority") {
    this.name = name
    const keys = sharedKeys()
    const certificate = blank({ name }, keys)
    certificate.setIssuer(certificate.subject.attributes)
    certificate.setExtensions([{ name: "basicConstraints", cA: true, critical: true }])
    certificate.sign(keys.private, forge.md.sha256.create())
    this.root = { certificate, keys }
  }

  /** The authority's own certificate, in PEM. */
  get pem(): string {
    return forge.pki.certificateToPem(this.root.certificate)
  }

  /** A certificate, in PEM. */
  sign(wanted: Wanted): string {
    const certificate = blank(wanted, sharedKeys())
    certificate.setIssuer(this.root.certificate.subject.attributes)
    const usages = wanted.usages ?? ["clientAuth", "serverAuth"]
    const dnsNames = (wanted.dnsNames ?? [wanted.name]).map((value) => ({ type: dnsName, value }))
    certificate.setExtensions([
      { name: "basicConstraints", cA: false },
      { name: "extKeyUsage", ...Object.fromEntries(usages.map((usage) => [usage, true])) },
      { name: "subjectAltName", altNames: [...dnsNames, { type: ipAddress, ip: "127.0.0.1" }] }
    ])
    certificate.sign(this.root.keys.private, forge.md.sha256.create())
    return forge.pki.certificateToPem(certificate)
  }

  /** Writes certificate, key and authority into `directory`, named after the certificate. */
  issue(directory: string, wanted: Wanted): Files {
    const files = {
      certificateFile: NodePath.join(directory, `${wanted.name}.crt`),
      keyFile: NodePath.join(directory, `${wanted.name}.key`),
      authorityFile: NodePath.join(directory, `${wanted.name}.authority.crt`)
    }
    NodeFs.writeFileSync(files.certificateFile, this.sign(wanted))
    NodeFs.writeFileSync(files.keyFile, sharedKeys().privatePem, { mode: 0o600 })
    NodeFs.writeFileSync(files.authorityFile, this.pem)
    return files
  }
}

/** A private key that fits no certificate of these. */
export const strangeKey = (): string => makeKeys().privatePem

const dnsName = 2
const ipAddress = 7
const hourMillis = 3_600_000

const blank = ({ name, fromMillis, toMillis }: Wanted, keys: Keys): forge.pki.Certificate => {
  const certificate = forge.pki.createCertificate()
  const nowMillis = Date.now()
  certificate.publicKey = keys.public
  // The leading one keeps the number positive, and its encoding as short as the format demands.
  certificate.serialNumber = `01${NodeCrypto.randomBytes(8).toString("hex")}`
  certificate.validity.notBefore = new Date(nowMillis + (fromMillis ?? -hourMillis))
  certificate.validity.notAfter = new Date(nowMillis + (toMillis ?? 24 * hourMillis))
  certificate.setSubject([{ name: "commonName", value: name }])
  return certificate
}
