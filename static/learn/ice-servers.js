/** Those of the servers whose addresses are of a kind. @param {RTCIceServer[]} servers @param {RegExp} url @returns {RTCIceServer[]} */
export function serversOf(servers, url) {
  const chosen = servers.map((server) => ({ ...server, urls: [server.urls].flat().filter((each) => url.test(each)) }));
  return chosen.filter(({ urls }) => urls.length > 0);
}
