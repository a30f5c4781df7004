/**
 * An internet with a server and two homes, each a browser's host behind a router whose kind can be changed. All of it is namespaces:
 * the routers and the server hang on one bridge, with addresses that are public ones elsewhere. Needs root, iproute2 and nftables.
 */

import { Namespaces, need } from './namespaces.js';

export const SERVER = '11.0.0.1';

/** @typedef {'left' | 'right'} Side */
/** @typedef {{ router: string, host: string, lan: string, hostAddress: string, routerAddress: string, gateway: string }} Home */

/** @type {Record<Side, Home>} */
const homes = {
  left: { router: 'left-router', host: 'left', routerAddress: '11.0.0.2', lan: '11.0.2.0/24', gateway: '11.0.2.1', hostAddress: '11.0.2.2' },
  right: { router: 'right-router', host: 'right', routerAddress: '11.0.0.3', lan: '11.0.3.0/24', gateway: '11.0.3.1', hostAddress: '11.0.3.2' },
};

/**
 * Whatever comes from outside to the host's own address is dropped, and so is UDP that nobody asked for: Linux would else remember
 * it as a conversation, and lend the host another port than the one by which it is known.
 */
const NAT = `
  add rule ip home from-outside iifname "wan" ip daddr $lan drop
  add rule ip home input iifname "wan" meta l4proto udp drop
  add rule ip home postrouting oifname "wan" masquerade`;

/** What each kind of router does, in nftables' language. */
const rules = {
  /** The host has a public address. */
  'an open network': '',
  /** Whoever knows the host's public port reaches it. */
  'a full-cone NAT': `${NAT}
    add rule ip home prerouting iifname "wan" meta l4proto udp dnat to $host`,
  /** Only from addresses to which the host has sent something from that port. */
  'an address-restricted NAT': `${NAT}
    add set ip home asked { type inet_service . ipv4_addr; flags dynamic; }
    add rule ip home forward iifname "lan" meta l4proto udp add @asked { udp sport . ip daddr }
    add rule ip home prerouting iifname "wan" udp dport . ip saddr @asked dnat to $host`,
  /** Only from addresses and ports to which the host has sent something from that port: Linux's own way. */
  'a port-restricted NAT': NAT,
  /** As that, and each conversation has a public port of its own. */
  'a symmetric NAT': `${NAT} random,fully-random`,
  'a network without UDP': `${NAT}
    add rule ip home forward meta l4proto udp drop`,
  'a network that lets out TCP 443 alone': `${NAT}
    add rule ip home forward iifname "lan" tcp dport != 443 drop
    add rule ip home forward meta l4proto != tcp drop`,
  /** No NAT: but the two can't reach each other. */
  'a network that reaches the server alone': `
    add rule ip home forward iifname "lan" ip daddr != ${SERVER} drop
    add rule ip home forward iifname "wan" ip saddr != ${SERVER} drop`,
};

/** @typedef {keyof typeof rules} Kind */

export class Internet {
  #namespaces;

  constructor() {
    need('nft', 'nftables');
    const hosts = ['server', ...Object.values(homes).flatMap(({ router, host }) => [router, host])];
    const namespaces = new Namespaces(...hosts);
    this.#namespaces = namespaces;
    // An IPv6 address takes a second until it is good, and then Chromium breaks off its requests, as the network has changed.
    for (const host of hosts) namespaces.run(host, ['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']);
    namespaces.ip('server', 'link', 'add', 'wan', 'type', 'bridge');
    namespaces.ip('server', 'address', 'add', `${SERVER}/24`, 'dev', 'wan');
    namespaces.ip('server', 'link', 'set', 'wan', 'up');
    for (const home of Object.values(homes)) this.#build(home);
  }

  /** @param {Home} home */
  #build({ router, host, lan, hostAddress, routerAddress, gateway }) {
    const namespaces = this.#namespaces;
    namespaces.cable({ host: 'server', device: router }, { host: router, device: 'wan', address: `${routerAddress}/24` });
    namespaces.ip('server', 'link', 'set', router, 'master', 'wan');
    namespaces.cable({ host: router, device: 'lan', address: `${gateway}/24` }, { host, device: 'lan', address: `${hostAddress}/24` });
    namespaces.ip(host, 'route', 'add', 'default', 'via', gateway);
    namespaces.run(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    namespaces.ip('server', 'route', 'add', lan, 'via', routerAddress);
    for (const other of Object.values(homes)) {
      if (other.router !== router) namespaces.ip(router, 'route', 'add', other.lan, 'via', other.routerAddress);
    }
  }

  /** Changes a home's router, between calls. @param {Side} side @param {Kind} kind */
  become(side, kind) {
    const { router, hostAddress, lan } = homes[side];
    this.#namespaces.run(router, ['nft', '-f', '-'], `
      flush ruleset
      define host = ${hostAddress}
      define lan = ${lan}
      add table ip home
      add chain ip home from-outside { type filter hook prerouting priority raw; }
      add chain ip home prerouting { type nat hook prerouting priority dstnat; }
      add chain ip home input { type filter hook input priority filter; }
      add chain ip home forward { type filter hook forward priority filter; }
      add chain ip home postrouting { type nat hook postrouting priority srcnat; }
      ${rules[kind]}
    `);
  }

  /** The namespace that holds a side's browser, or the server. @param {Side | 'server'} host */
  namespace(host) {
    return this.#namespaces.name(host);
  }

  remove() {
    this.#namespaces.remove();
  }
}
