// offer-answer.js: both ends of a connection in one page, and no server.
// Paste it into the console of any page (F12).
const alice = new RTCPeerConnection();
const bob = new RTCPeerConnection();

// Candidates: where each can be reached. The other one tries them all.
alice.onicecandidate = ({ candidate }) => bob.addIceCandidate(candidate);
bob.onicecandidate = ({ candidate }) => alice.addIceCandidate(candidate);

// What the two want to talk by. It has to be there before the offer.
const channel = alice.createDataChannel('chat');
channel.onopen = () => channel.send('Hello Bob, no server reads this.');
bob.ondatachannel = ({ channel }) => {
  channel.onmessage = ({ data }) => console.log('Bob reads:', data);
};

// The offer: Alice describes herself, and Bob is given the description.
await alice.setLocalDescription();
await bob.setRemoteDescription(alice.localDescription);

// The answer: the same the other way round.
await bob.setLocalDescription();
await alice.setRemoteDescription(bob.localDescription);
