import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Which addresses a webhook may reach. Private, loopback, link-local and other special ranges are refused unless the
 * installation allows them (banks live on private nets). Names are resolved once, and the address that was checked is the
 * one connected to, so that a name cannot change between check and use.
 */
export interface AddressGuard {
  /** For a host that is an IP address already; the `lookup` of a connection is not asked for these. */
  checkHost(hostname: string): 'allowed' | 'refused';
  /** For `http.request`: resolves and checks. Fails with `AddressRefused` when any address of the name is refused. */
  readonly lookup: LookupFunction;
}

export class AddressRefused extends Error {
  readonly retriable = false;
  readonly code = 'EADDRREFUSED';
  constructor(hostname: string) {
    super(`${hostname} is on a private or special network; add its range to dispatch.webhookAllowPrivate if that is meant`);
    this.name = 'AddressRefused';
  }
}

/** IANA special-purpose registries, IPv4 and IPv6; a mapped IPv4 address (::ffff:…) is judged by its IPv4 range. */
const special = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
] as const;

type Resolve = (hostname: string, callback: (error: Error | null, addresses: LookupAddress[]) => void) => void;

const resolveAll: Resolve = (hostname, callback) => dnsLookup(hostname, { all: true }, callback);

/** @throws RangeError for an entry of `allowPrivate` that is not a CIDR range. */
export function createAddressGuard(allowPrivate: readonly string[], resolve: Resolve = resolveAll): AddressGuard {
  const refused = toBlockList(special);
  const allowed = toBlockList(allowPrivate);

  const isAllowed = (address: string): boolean => {
    // A zone (fe80::1%eth0) names an interface of this machine.
    if (address.includes('%')) return false;
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    return isIP(address) !== 0 && (allowed.check(address, family) || !refused.check(address, family));
  };

  return {
    checkHost(hostname) {
      const literal = hostname.replace(/^\[|\]$/g, '');
      return isIP(literal) === 0 || isAllowed(literal) ? 'allowed' : 'refused';
    },
    lookup(hostname, options, callback) {
      resolve(hostname, (error, addresses) => {
        const [first] = addresses ?? [];
        if (error || !first) return callback(error ?? new Error(`${hostname} has no address`), '', 0);
        if (!addresses.every(({ address }) => isAllowed(address))) return callback(new AddressRefused(hostname), '', 0);
        if (options.all) return callback(null, addresses);
        callback(null, first.address, first.family);
      });
    },
  };
}

function toBlockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix = ''] = range.split('/');
    const family = isIP(network);
    const bits = Number(prefix);
    if (family === 0 || prefix === '' || !Number.isInteger(bits) || bits < 0 || bits > (family === 4 ? 32 : 128)) {
      throw new RangeError(`dispatch.webhookAllowPrivate: "${range}" is not a range; write it as 10.20.0.0/16 or fd00::/8`);
    }
    list.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
