// relay.js: does this TURN server work? Two ends in one page, which may use
// nothing but the relay. Paste it into the console of a page of entremise;
// elsewhere, put your own servers in the place of the next line.
const { iceServers } = await (await fetch('/ice')).json();

const onlyRelay = { iceServers, iceTransportPolicy: 'relay' };
const alice = new RTCPeerConnection(onlyRelay);
const bob = new RTCPeerConnection(onlyRelay);
alice.onicecandidate = ({ candidate }) => bob.addIceCandidate(candidate);
bob.onicecandidate = ({ candidate }) => alice.addIceCandidate(candidate);
alice.onicecandidateerror = ({ url, errorCode, errorText }) => {
  console.log(url, errorCode, errorText);
};
alice.onconnectionstatechange = () => console.log(alice.connectionState);

const channel = alice.createDataChannel('ping');
bob.ondatachannel = ({ channel }) => {
  channel.onmessage = () => channel.send('pong');
};
channel.onopen = () => {
  const sent = performance.now();
  channel.onmessage = () => {
    const taken = Math.round(performance.now() - sent);
    console.log(`The relay works: ${taken} ms there and back.`);
    for (const end of [alice, bob]) end.close();
  };
  channel.send('ping');
};

await alice.setLocalDescription();
await bob.setRemoteDescription(alice.localDescription);
await bob.setLocalDescription();
await alice.setRemoteDescription(bob.localDescription);
