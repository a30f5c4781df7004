/** Where our server says something else than the one that a dialect was made for, and why. Nothing else may differ. */

/** @import { Dialect } from './original.js' */

/**
 * @typedef {{ row: string, why: string, original: string[], ours: string[] }} Difference
 *   Lines of a conversation that follow each other, and those that stand in their place. `row`: of docs/dialects.md, which tells of it
 */

/** By dialect, and by the conversation's title. @type {Partial<Record<Dialect, Record<string, Difference[]>>>} */
export const differences = {
  'socket.io': {
    'the opening over polling': [{
      row: 'the largest message (`maxPayload`)',
      why: 'offers and answers are smaller, and what each client may have on its way is memory: --max-message-bytes',
      original: ['alice: 200 | text/plain; charset=UTF-8 | 0{"sid":"<session of alice>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'],
      ours: ['alice: 200 | text/plain; charset=UTF-8 | 0{"sid":"<session of alice>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}'],
    }],
    'the opening over a WebSocket': [{
      row: 'the largest message (`maxPayload`)',
      why: 'as over polling',
      original: ['alice ← 0{"sid":"<session>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'],
      ours: ['alice ← 0{"sid":"<session>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}'],
    }],
    'a page of another site': [{
      row: 'a page of an origin that is not allowed',
      why: 'a page that may not read the answer tries again, and each time it would leave a session behind',
      original: ['200 | text/plain; charset=UTF-8 | https://site.example | 0'],
      ours: ['403 | application/json | none | {"code":4,"message":"Forbidden"}'],
    }],
    'requests that open nothing': [{
      row: 'an upgrade of Engine.IO 3',
      why: 'the original accepts the WebSocket, and then writes its refusal into it as HTTP',
      original: ['an upgrade of version 3 ← (closed 1006)'],
      ours: ['an upgrade of version 3 ← (400 | text/html | Unsupported protocol version)'],
    }],
    "socket.io's own file for pages": [{
      row: '`/socket.io/socket.io.js`',
      why: 'that file is not ours: a page has its own copy, and the answer says where it goes',
      original: ['200 | application/javascript; charset=utf-8'],
      ours: ['404 | text/plain; charset=utf-8'],
    }],
    'other methods with a session': [{
      row: 'PUT, DELETE, HEAD with a session',
      why: 'it is the request that is wrong, and not the server',
      original: ['PUT: 500 | none | ', 'DELETE: 500 | none | ', 'HEAD: 500 | none | '],
      ours: ['PUT: 405 | none | ', 'DELETE: 405 | none | ', 'HEAD: 405 | none | '],
    }],
    'an offer to an id that is not there': [{
      row: 'an addressee that is not there',
      why: 'the caller can be told; a page that does not know the event ignores it',
      original: ['alice ← 44/fence,{"message":"Invalid namespace"}'],
      ours: [
        'alice ← 42["peer-unavailable",{"to":"AAAAAAAAAAAAAAAAAAAA"}]',
        'alice ← 44/fence,{"message":"Invalid namespace"}',
      ],
    }],
    'who leaves the namespace hears nothing more of it, and is not there for others': [{
      row: 'an addressee that is not there',
      why: 'the caller can be told; a page that does not know the event ignores it',
      original: ['bob ← 44/fence,{"message":"Invalid namespace"}'],
      ours: ['bob ← 42["peer-unavailable",{"to":"<alice>"}]', 'bob ← 44/fence,{"message":"Invalid namespace"}'],
    }],
    'an offer with an acknowledgement': [{
      row: 'an event with an acknowledgement',
      why: 'a page that asks for an acknowledgement waits for it',
      original: ['alice ← 44/fence,{"message":"Invalid namespace"}'],
      ours: ['alice ← 437[{"ok":true}]', 'alice ← 44/fence,{"message":"Invalid namespace"}'],
    }],
    'an event with an attachment': [{
      row: 'binary attachments',
      why: 'offers, answers and candidates are JSON; attachments would have to be kept until all have come',
      original: [
        'alice ← 44/fence,{"message":"Invalid namespace"}',
        'bob ← 451-["offer",{"offer":{"_placeholder":true,"num":0},"from":"<alice>"}]',
        'bob ← binary 0102',
      ],
      ours: ['alice ← (closed 1005)'],
    }],
    'an offer without an argument': [{
      row: 'an event without its argument',
      why: 'the original ends, with all its peers',
      original: ['alice ← (closed 1006)'],
      ours: ['alice ← 44/fence,{"message":"Invalid namespace"}'],
    }],
    'an offer whose argument is null': [{
      row: 'an event without its argument',
      why: 'the original ends, with all its peers',
      original: ['alice ← (closed 1006)'],
      ours: ['alice ← 44/fence,{"message":"Invalid namespace"}'],
    }],
  },
  peerjs: {
    HTTP: [{
      row: '`GET /`',
      why: "the root is the page's; what the original says of itself is at /peerjs/",
      original: ['root: 200 | application/json; charset=utf-8 | {"name":"PeerJS Server","description":"A server side element to broker connections between PeerJS clients.","website":"https://peerjs.com/"}'],
      ours: ['root: 200 | text/html; charset=utf-8 | <!doctype html>'],
    }],
    'origins over HTTP': [{
      row: '`Vary` in the answer to a preflight',
      why: 'no header of a request changes the answer to a preflight but its origin',
      original: ['preflight: 204 | none | https://site.example | Origin, Access-Control-Request-Headers | '],
      ours: ['preflight: 204 | none | https://site.example | Origin | '],
    }, {
      row: 'a page of a foreign origin',
      why: 'pages that may not connect are refused over HTTP too',
      original: ['other: 401 | text/plain; charset=utf-8 | https://evil.example | Origin | Unauthorized'],
      ours: ['other: 403 | application/json | none | Origin | {"code":"origin-not-allowed","message":"pages of this origin may not connect here"}'],
    }],
    'another key over HTTP': [{
      row: 'a wrong key over HTTP',
      why: "the key is checked for WebSockets, so it is checked here too; all other paths of the root are the page's",
      original: ['id: 200 | text/html; charset=utf-8 | <a UUID>'],
      ours: ['id: 404 | text/plain; charset=utf-8 | There is nothing here.\n'],
    }],
    'connections that are refused': [{
      row: 'a WebSocket to `/peerjs/` itself',
      why: 'the answer says what is wrong',
      original: ['a slash too many ← (400 | text/html | Bad Request)'],
      ours: ['a slash too many ← (400 | application/json | {"code":"bad-handshake","message":"this is not a valid WebSocket handshake of the protocol"})'],
    }],
    'the same id with the same token': [
      {
        row: 'a client comes back with its token (`reconnect()`) while its old connection is still there',
        why: 'the client waits for OPEN',
        original: ['d1 again ← {"type":"OFFER","src":"d1","dst":"d1","payload":"to whom?"}'],
        ours: ['d1 again ← {"type":"OPEN"}', 'd1 again ← {"type":"OFFER","src":"d1","dst":"d1","payload":"to whom?"}'],
      },
      {
        row: 'a client comes back with its token (`reconnect()`) while its old connection is still there',
        why: 'two connections with one id would send in its name, and only one would be told the answers',
        original: ['d1 ← (nothing)', 'd2 ← {"type":"OFFER","src":"d1","dst":"d2","payload":"from the old one"}'],
        ours: ['d1 ← (closed 4000)'],
      },
    ],
    'an EXPIRE that a client sends': [{
      row: 'an `EXPIRE` that a client sends',
      why: 'it is the server that says that a peer is absent',
      original: ['g2 ← {"type":"EXPIRE","src":"g1","dst":"g2"}'],
      ours: [],
    }],
    'a frame that is no JSON': [{
      row: 'a frame that is no JSON',
      why: 'the original reads nothing more from this connection',
      original: ['k1 ← (nothing)'],
      ours: ['k1 ← {"type":"OFFER","src":"k1","dst":"k1","payload":"fence"}'],
    }],
  },
  'y-webrtc': {
    'a frame that is no JSON': [{
      row: 'a frame that is not JSON, or whose `topics` are no list',
      why: 'the original ends, with all its peers',
      original: ['a ← (closed 1006)'],
      ours: ['a ← {"type":"pong"}'],
    }],
    'topics that are no list': [{
      row: 'a frame that is not JSON, or whose `topics` are no list',
      why: 'the original ends, with all its peers',
      original: ['a ← (closed 1006)'],
      ours: ['a ← {"type":"pong"}'],
    }],
  },
};
