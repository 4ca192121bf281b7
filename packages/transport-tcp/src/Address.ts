/**
 * "HOST:PORT", as operators write it: `127.0.0.1:7001`, `[::1]:7001`, `db-1.example.org:7001`.
 */

/** Where to listen or to dial. */
export interface HostPort {
  /** A name or an IP address, without brackets. */
  readonly host: string
  readonly port: number
}

const pattern = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})$/

/** Reads an address; the answer is a text that says what is wrong where it is none. */
export const parse = (address: string): HostPort | string => {
  const parts = pattern.exec(address)
  if (parts === null) return `it is not of the form HOST:PORT, such as 127.0.0.1:7001 or [::1]:7001`
  const host = parts[1] ?? parts[2] ?? ""
  const port = Number(parts[3])
  return port > 65_535 ? `the port ${port} is larger than 65535` : { host, port }
}

/** The text of an address, with brackets around IPv6. */
export const format = ({ host, port }: HostPort): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
