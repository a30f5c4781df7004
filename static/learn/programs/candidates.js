// candidates.js: prints under which addresses this browser may be reached.
// Paste it into the console of a page that entremise serves; elsewhere, put
// your own servers in the place of the next line:
//   const iceServers = [{ urls: 'stun:stun.example.org:3478' }];
const { iceServers } = await (await fetch('/ice')).json();

const connection = new RTCPeerConnection({ iceServers });
connection.createDataChannel('any'); // with nothing to send, none is looked for

connection.onicecandidate = ({ candidate }) => {
  if (candidate === null) return console.log('That was all.');
  if (candidate.candidate === '') return; // the end of one round
  const { type, protocol, address, port } = candidate;
  console.log(type, protocol, `${address}:${port}`);
};

connection.onicecandidateerror = ({ url, errorCode, errorText }) => {
  console.log('No answer from', url, errorCode, errorText);
};

await connection.setLocalDescription(); // from here on it looks for them
