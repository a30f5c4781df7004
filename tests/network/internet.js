/**
 * An internet with two homes, each a browser's host behind a router whose kind can be changed. All of it is namespaces: what hangs on
 * the one bridge has addresses that are public ones elsewhere. Where the server stands in it is a placement's business.
 * Needs root, iproute2 and nftables.
 */

import { Namespaces, need } from './namespaces.js';

/** The server's name, as all browsers know it. */
export const NAME = 'calls.example';

/**
 * @typedef {{ nft: 'ip' | 'ip6', length: number, of: (network: number, host: number) => string }} Family
 *   `nft`: its name in nftables; `length`: of a network's prefix; `of`: the address of a host in a network
 */

/** @type {Family} */
export const IPV4 = { nft: 'ip', length: 24, of: (network, host) => `11.0.${network}.${host}` };
/** @type {Family} */
export const IPV6 = { nft: 'ip6', length: 64, of: (network, host) => `2600:11:0:${network}::${host}` };

/** The network that is the internet; those of the homes have their own numbers. */
const WORLD = 0;

/** @typedef {'left' | 'right'} Side */

/** @type {Record<Side, number>} A home's network, and its router's number in the world. */
const numbers = { left: 2, right: 3 };
const sides = /** @type {Side[]} */ (Object.keys(numbers));

/**
 * @typedef {{ ip: Family['nft'], host: string, lan: string, server: string }} Wires what a router's rules speak of
 */

/**
 * Whatever comes from outside to the host's own address is dropped, and so is UDP that was not asked for: Linux would else remember
 * it as a conversation, and lend the host another port than the one by which it is known.
 *
 * @param {Wires} wires
 */
const nat = ({ ip, lan }) => `
  add rule ${ip} home from-outside iifname "wan" ${ip} daddr ${lan} drop
  add rule ${ip} home input iifname "wan" meta l4proto udp drop
  add rule ${ip} home postrouting oifname "wan" masquerade`;

/** What each kind of router does, in nftables' language. */
const rules = {
  /** The host has a public address. */
  'an open network': () => '',
  /** Whatever is sent to the host's public port reaches it. */
  'a full-cone NAT': (/** @type {Wires} */ wires) => `${nat(wires)}
    add rule ${wires.ip} home prerouting iifname "wan" meta l4proto udp dnat to ${wires.host}`,
  /** Only from addresses to which the host has sent something from that port. */
  'an address-restricted NAT': (/** @type {Wires} */ wires) => `${nat(wires)}
    add set ${wires.ip} home asked { type inet_service . ${wires.ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr'}; flags dynamic; }
    add rule ${wires.ip} home forward iifname "lan" meta l4proto udp add @asked { udp sport . ${wires.ip} daddr }
    add rule ${wires.ip} home prerouting iifname "wan" udp dport . ${wires.ip} saddr @asked dnat to ${wires.host}`,
  /** Only from addresses and ports to which the host has sent something from that port: Linux's own way. */
  'a port-restricted NAT': nat,
  /** As that, and each conversation has a public port of its own. */
  'a symmetric NAT': (/** @type {Wires} */ wires) => `${nat(wires)} random,fully-random`,
  'a network without UDP': (/** @type {Wires} */ wires) => `${nat(wires)}
    add rule ${wires.ip} home forward meta l4proto udp drop`,
  'a network that lets out TCP 443 alone': (/** @type {Wires} */ wires) => `${nat(wires)}
    add rule ${wires.ip} home forward iifname "lan" tcp dport != 443 drop
    add rule ${wires.ip} home forward meta l4proto != tcp drop`,
  /** No NAT: but the two can't reach each other. */
  'a network that reaches the server alone': (/** @type {Wires} */ { ip, server }) => `
    add rule ${ip} home forward iifname "lan" ${ip} daddr != ${server} drop
    add rule ${ip} home forward iifname "wan" ${ip} saddr != ${server} drop`,
};

/** @typedef {keyof typeof rules} Kind */

export class Internet {
  /** @readonly For placements: the hosts of the server's side are added here. */
  namespaces;
  #family;

  constructor(family = IPV4) {
    need('nft', 'nftables');
    this.#family = family;
    this.namespaces = new Namespaces('exchange');
    this.namespaces.ip('exchange', 'link', 'add', 'world', 'type', 'bridge');
    this.namespaces.ip('exchange', 'link', 'set', 'world', 'up');
    for (const side of sides) this.#build(side);
  }

  /** The server's public address, wherever it stands. */
  get server() {
    return this.#family.of(WORLD, 1);
  }

  /** @param {Side} side */
  #build(side) {
    const [router, network] = [`${side}-router`, numbers[side]];
    this.add(side);
    this.attach(router, this.#family.of(WORLD, network));
    this.join(router, 'lan', this.#family.of(network, 1), side, 'lan', this.#family.of(network, 2));
    this.namespaces.know(side, { [NAME]: this.server });
  }

  /** A host with addresses of this family alone. @param {string} host */
  add(host) {
    this.namespaces.add(host);
    this.#set(host, this.#family === IPV6
      // An IPv6 address takes a second until it is good, and then Chromium breaks off its requests, as the network has changed.
      ? ['net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0']
      : ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']);
  }

  /** Adds a host with a public address, by which it forwards too. @param {string} host @param {string} [address] none: it comes later */
  attach(host, address) {
    const { namespaces } = this;
    this.add(host);
    this.#set(host, ['net.ipv4.ip_forward=1', ...(this.#family === IPV6 ? ['net.ipv6.conf.all.forwarding=1'] : [])]);
    namespaces.cable({ host: 'exchange', device: host }, { host, device: 'wan' });
    namespaces.ip('exchange', 'link', 'set', host, 'master', 'world');
    if (address) this.address(host, address);
  }

  /** Gives an attached host its address, and the way to all homes and to the rest of the world. @param {string} host */
  address(host, address = this.server) {
    this.namespaces.ip(host, 'address', 'add', `${address}/${this.#family.length}`, 'dev', 'wan');
    this.namespaces.ip(host, 'route', 'add', 'default', 'dev', 'wan');
    for (const side of sides.filter((side) => host !== `${side}-router`)) {
      const number = numbers[side];
      this.namespaces.ip(host, 'route', 'add', this.#lan(number), 'via', this.#family.of(WORLD, number));
    }
  }

  /**
   * Joins a host to a router, which becomes its way to everywhere.
   *
   * @param {string} router @param {string} port of the router @param {string} gateway
   * @param {string} host @param {string} device @param {string} address
   */
  join(router, port, gateway, host, device, address) {
    const { length } = this.#family;
    this.namespaces.cable(
      { host: router, device: port, address: `${gateway}/${length}` },
      { host, device, address: `${address}/${length}` },
    );
    this.namespaces.ip(host, 'route', 'add', 'default', 'via', gateway);
  }

  /** Changes a home's router, between calls. @param {Side} side @param {Kind} kind */
  become(side, kind) {
    const [{ nft: ip, of }, network] = [this.#family, numbers[side]];
    this.filter(`${side}-router`, `
      add table ${ip} home
      add chain ${ip} home from-outside { type filter hook prerouting priority raw; }
      add chain ${ip} home prerouting { type nat hook prerouting priority dstnat; }
      add chain ${ip} home input { type filter hook input priority filter; }
      add chain ${ip} home forward { type filter hook forward priority filter; }
      add chain ${ip} home postrouting { type nat hook postrouting priority srcnat; }
      ${rules[kind]({ ip, host: of(network, 2), lan: this.#lan(network), server: this.server })}
    `);
  }

  /** What a host lets through, and changes, from now on. @param {string} host @param {string} ruleset of nftables */
  filter(host, ruleset) {
    this.namespaces.run(host, ['nft', '-f', '-'], `flush ruleset\n${ruleset}`);
  }

  /** The command by which a program runs on a host. @param {string} host */
  on(host) {
    return ['/usr/sbin/ip', 'netns', 'exec', this.namespaces.name(host)];
  }

  remove() {
    this.namespaces.remove();
  }

  /** @param {number} network */
  #lan(network) {
    return `${this.#family.of(network, 0)}/${this.#family.length}`;
  }

  /** @param {string} host @param {string[]} settings */
  #set(host, settings) {
    this.namespaces.run(host, ['sysctl', '-qw', ...settings]);
  }
}
