// A hook of React: who is in a room, as long as a component is there.
//
//     make npm && cd examples/react && npm install && npm run build
//     entremise --page dist
import { Client } from 'entremise/client';
import { createElement, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

function useRoom(room) {
  const [peers, setPeers] = useState([]);
  useEffect(() => {
    const client = new Client({ url: new URL('ws', location.href).href });
    client.on('welcome', async () => setPeers(await client.join(room)));
    client.on('peer-joined', ({ peer }) => setPeers((others) => [...others, peer]));
    client.on('peer-left', ({ peer }) => setPeers((others) => others.filter((other) => other !== peer)));
    client.connect();
    return () => client.close();
  }, [room]);
  return peers;
}

function Roster() {
  return createElement('p', null, `${useRoom('react').length} others`);
}

// In its strict mode each effect is undone and done again.
createRoot(document.querySelector('#root')).render(createElement(StrictMode, null, createElement(Roster)));
