/** Where our server says something else than the one that a dialect was made for, and why. Nothing else may differ. */

/** @import { Dialect } from './original.js' */

/**
 * @typedef {{ row: string, why: string, original: string[], ours: string[] }} Difference
 *   Lines of a conversation that follow each other, and those that stand in their place. `row`: of docs/dialects.md, which tells of it
 */

/** @param {string} meta */
const producing = (meta) => `a ← {"type":"peerStatusChanged","roles":["producer"],"meta":${meta},"peerId":"<b>"}`;

/** @type {Difference} */
const leaving = {
  row: 'a client closes its connection',
  why: 'a close frame is answered with one',
  original: ['b ← (closed 1006)'],
  ours: ['b ← (closed 1000)'],
};

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
    JSONP: [{
      row: 'JSONP (`j` in the query)',
      why: 'it is for browsers without CORS, of which there are none any more',
      original: ['200 | text/plain; charset=UTF-8 | ___eio[0]("0'],
      ours: ['200 | text/plain; charset=UTF-8 | 0'],
    }],
    'a large answer to a client that takes compressed ones': [{
      row: 'a large answer to a poll whose client takes compressed ones',
      why: 'what is signaled is small, and to compress it is work and memory for each client',
      original: ['200 | text/plain; charset=UTF-8 | gzip'],
      ours: ['200 | text/plain; charset=UTF-8 | none'],
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
    'fields in any order, and spelled in other ways': [{
      row: 'a message on its way',
      why: 'what is relayed is not read further than it has to be',
      original: ['a ← {"data":{"b":1000,"a":"é"},"topic":"g1","type":"publish","clients":1}'],
      ours: ['a ← { "data" : { "b" : 1e3 , "a" : "\\u00e9" } , "topic" : "g1" , "type" : "publish" ,"clients":1}'],
    }],
    'a page of another site': [{
      row: 'a page of a foreign origin',
      why: 'pages of other sites may connect where the operator says so',
      original: ['other ← (closed 1000)'],
      ours: ['other ← (403 | application/json | {"code":"origin-not-allowed","message":"pages of this origin may not connect here"})'],
    }],
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
  trystero: {
    'a binary frame is taken as text': [{
      row: 'a binary frame',
      why: 'what is no UTF-8 would arrive as something else',
      original: ['a ← {"topic":"f1","payload":"no UTF-8: �"}'],
      ours: [],
    }],
    'fields in any order, twice, and spelled in other ways': [{
      row: 'a payload on its way',
      why: 'what is relayed is not read further than it has to be',
      original: ['a ← {"topic":"g1","payload":{"b":1000,"a":"é"}}'],
      ours: ['a ← {"topic":"g1","payload":{ "b" : 1e3 , "a" : "\\u00e9" }}'],
    }],
    'long topics': [{
      row: "a topic's name",
      why: 'one limit for the names of all topics and rooms',
      original: ['257 ← (closed 1008)'],
      ours: ['257 ← {"topic":"<a long topic>","payload":"fence"}'],
    }],
    'a topic without a name': [{
      row: 'a topic without a name',
      why: "as with y-webrtc's topics; Trystero's own are hashes",
      original: ['a ← {"topic":"","payload":"to no name"}'],
      ours: [],
    }],
    'many topics': [{
      row: "a client's topics",
      why: 'a client that is closed comes back and asks for them again',
      original: ['a ← (closed 1008)'],
      ours: ['a ← {"topic":"j128","payload":"fence"}'],
    }],
    'a plain GET': [{
      row: 'a request that asks for no WebSocket',
      why: 'the answer says what is wrong',
      original: ['GET: 426 | text/plain | Upgrade Required'],
      ours: ['GET: 426 | application/json | {"code":"upgrade-required","message":"all is well: open a WebSocket here"}'],
    }],
    'a page of another site': [{
      row: 'a page of a foreign origin',
      why: 'pages of other sites may connect where the operator says so',
      original: ['other ← (closed 1000)'],
      ours: ['other ← (403 | application/json | {"code":"origin-not-allowed","message":"pages of this origin may not connect here"})'],
    }],
  },
  matchbox: {
    "a signal's data is any JSON": [{
      row: 'what a signal has in it',
      why: 'what is relayed is not read further than it has to be',
      original: [
        'b ← {"Signal":{"sender":"<a>","data":{"a":2,"b":1}}}',
        'b ← {"Signal":{"sender":"<a>","data":1000.0}}',
        'b ← {"Signal":{"sender":"<a>","data":"é/"}}',
        'b ← {"Signal":{"sender":"<a>","data":{"a":2}}}',
      ],
      ours: [
        'b ← {"Signal":{"sender":"<a>","data":{ "b" : 1 , "a" : 2 }}}',
        'b ← {"Signal":{"sender":"<a>","data":1e3}}',
        'b ← {"Signal":{"sender":"<a>","data":"\\u00e9\\/"}}',
        'b ← {"Signal":{"sender":"<a>","data":{"a":1,"a":2}}}',
      ],
    }],
    'a signal to oneself': [{
      row: 'a signal to oneself',
      why: 'no client has a connection to itself',
      original: ['a ← {"Signal":{"sender":"<a>","data":"to myself"}}'],
      ours: [],
    }],
    'ids in capital letters, and without hyphens': [{
      row: 'an id in capital letters, or without hyphens',
      why: 'an id has one spelling, which is that of the server',
      original: ['b ← {"Signal":{"sender":"<a>","data":"capitals"}}', 'b ← {"Signal":{"sender":"<a>","data":"no hyphens"}}'],
      ours: [],
    }],
    'rooms, and groups of a room, do not hear of each other': [{
      row: 'a signal to another room or group',
      why: 'who knows an id could else disturb any room',
      original: ['b', 'c', 'd'].map((who) => `${who} ← {"Signal":{"sender":"<a>","data":"from another room"}}`),
      ours: ['b', 'c', 'd'].map((who) => `${who} ← (nothing)`),
    }],
    'the last of a group leaves while another waits': [{
      row: 'the last of a group leaves',
      why: 'those that wait were never told of it',
      original: ['c ← {"PeerLeft":"<b>"}'],
      ours: [],
    }],
    'a group of none': [{
      row: '`next=0`',
      why: 'no group has no members; the original, built without optimization, matches and tells none any more',
      original: ['a ← {"IdAssigned":"<an id>"}', 'b ← {"IdAssigned":"<an id>"}', 'c ← {"IdAssigned":"<an id>"}', 'b ← (nothing)'],
      ours: [
        'a ← (400 | application/json | {"code":"bad-room","message":"no room has this name, or no group this size"})',
        'b ← {"IdAssigned":"<an id>"}',
        'c ← {"IdAssigned":"<an id>"}',
        'b ← {"NewPeer":"<an id>"}',
      ],
    }],
    'no room': [{
      row: 'the room `%2F`',
      why: 'a token names the room without a name so',
      original: ['b ← {"Signal":{"sender":"<a>","data":"fence"}}', 'b ← {"Signal":{"sender":"<a>","data":"fence"}}'],
      ours: ['b ← {"Signal":{"sender":"<a>","data":"fence"}}', 'b ← {"NewPeer":"<d>"}', 'b ← {"Signal":{"sender":"<a>","data":"fence"}}'],
    }],
    'long names, and one that is no UTF-8': [{
      row: "a room's name",
      why: 'names take memory',
      original: ['129 ← {"IdAssigned":"<an id>"}'],
      ours: ['129 ← (400 | application/json | {"code":"bad-room","message":"no room has this name, or no group this size"})'],
    }, {
      row: 'a path that is none, or no UTF-8',
      why: 'one answer for all names that no room has',
      original: ['no UTF-8 ← (400 | text/plain; charset=utf-8 | Invalid URL: Invalid UTF-8 in `path`)'],
      ours: ['no UTF-8 ← (400 | application/json | {"code":"bad-room","message":"no room has this name, or no group this size"})'],
    }],
    'paths that are none': [{
      row: 'a path that is none, or no UTF-8',
      why: "all other paths are the page's",
      original: ['/a/b ← (404 | none | )', '/a/ ← (404 | none | )'],
      ours: ['/a/b', '/a/'].map((path) => `${path} ← (404 | text/plain; charset=utf-8 | There is nothing here.\n)`),
    }],
    HTTP: [{
      row: '`/health`',
      why: 'the server has one such path for all that it speaks',
      original: ['health: 200 | none | '],
      ours: ['health: 404 | text/plain; charset=utf-8 | There is nothing here.\n'],
    }, {
      row: 'a request that asks for no WebSocket',
      why: 'the answer says what is wrong',
      original: ["GET: 400 | text/plain; charset=utf-8 | Connection header did not include 'upgrade'", 'POST: 405 | none | '],
      ours: ['GET', 'POST'].map((method) => `${method}: 426 | application/json | {"code":"upgrade-required","message":"all is well: open a WebSocket here"}`),
    }],
    'a page of another site': [{
      row: 'a page of a foreign origin',
      why: 'pages of other sites may connect where the operator says so',
      original: ['other ← {"IdAssigned":"<an id>"}'],
      ours: ['other ← (403 | application/json | {"code":"origin-not-allowed","message":"pages of this origin may not connect here"})'],
    }],
  },
  gstreamer: {
    'roles in any order, and twice': [{
      row: 'a role that is said twice',
      why: 'who has a role has it once',
      original: ['a ← {"type":"peerStatusChanged","roles":["listener","producer","listener"],"meta":null,"peerId":"<a>"}'],
      ours: ['a ← {"type":"peerStatusChanged","roles":["listener","producer"],"meta":null,"peerId":"<a>"}'],
    }],
    'a meta is any JSON': [{
      row: 'a meta',
      why: 'what is relayed is not read further than it has to be',
      original: ['{"a":2,"b":1}', '1000.0', '"é/"', '{"a":2}'].map(producing),
      ours: ['{ "b" : 1 , "a" : 2 }', '1e3', '"\\u00e9\\/"', '{"a":1,"a":2}'].map(producing),
    }],
    'a consumer offers when it asks, and not later': [{
      row: 'the text of an `error`',
      why: 'who is told knows its own id, and what it has asked for',
      original: ['b ← {"type":"error","details":"cannot forward offer from \\"<b>\\" to \\"<a>\\" as \\"<b>\\" is not the producer"}'],
      ours: ['b ← {"type":"error","details":"cannot forward an offer of a consumer"}'],
    }],
    'what cannot be is an error for the one that asks': [{
      row: 'the text of an `error`',
      why: 'who is told knows its own id, and what it has asked for',
      original: [
        'b ← {"type":"error","details":"Missing a producer or a consumer: id <b> roles [], id <a> roles []"}',
        'b ← {"type":"error","details":"Cannot register peer <b> as both producer and passive consumer"}',
      ],
      ours: [
        `b ← {"type":"error","details":"Missing a producer or a consumer: peer '<a>' is neither"}`,
        'b ← {"type":"error","details":"Cannot register a peer as both producer and passive consumer"}',
      ],
    }],
    'a session with oneself, and two with one producer': [{
      row: 'a session with oneself',
      why: 'the one that offers is its producer too',
      original: [
        'a ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
        'a ← {"type":"startSession","peerId":"<a>","sessionId":"<session>","offer":null}',
        'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"to myself"}}',
        'a ← {"type":"error","details":"cannot forward offer from \\"<a>\\" to \\"<a>\\" as \\"<a>\\" is not the producer"}',
      ],
      ours: [
        'a ← {"type":"startSession","peerId":"<a>","sessionId":"<session>","offer":null}',
        'a ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<session>"}',
        'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"to myself"}}',
        'a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"offer","sdp":"to myself"}}',
      ],
    }],
    'a page that asks for a producer that is not there': [{
      row: 'a page asks for an absent producer',
      why: 'its session waits for ever',
      original: [`a ← {"type":"error","details":"Peer with ID 'absent' not found"}`],
      ours: [
        `a ← {"type":"error","details":"Peer with ID 'absent' not found"}`,
        'a ← {"type":"sessionStarted","peerId":"absent","sessionId":"<session>"}',
        'a ← {"type":"endSession","sessionId":"<session>"}',
      ],
    }],
    'ids in capital letters': [{
      row: "a session's id in capital letters",
      why: 'it is read as a number; a client repeats it as it has heard it',
      original: ['a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"fence"}}'],
      ours: ['capitals', 'fence'].map((sdp) => `a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"${sdp}"}}`),
    }],
    'both a description and a candidate': [{
      row: '`sdp` and `ice` in one message',
      why: 'which of them is meant can not be known',
      original: ['a ← {"type":"peer","sessionId":"<session>","sdp":{"type":"answer","sdp":"x"}}'],
      ours: [],
    }],
    'a message that is a list': [{
      row: 'a message that is a list (`["list"]`)',
      why: "it is none of the protocol's: the original's reader takes it by chance",
      original: ['a ← {"type":"list","producers":[]}'],
      ours: [],
    }],
    'a newPeer that a client sends': [{
      row: '`newPeer` from a client',
      why: "it is the original's word to itself",
      original: ['a ← {"type":"welcome","peerId":"<a>"}', 'a ← {"type":"list","producers":[]}'],
      ours: ['a ← {"type":"list","producers":[{"id":"<a>","meta":null}]}'],
    }],
    'protocol 1.1': [{
      row: 'protocol 1.1 (`setProtocolVersion`, `endSessionV1_1`)',
      why: 'its next version has it',
      original: ['b ← {"type":"endSession","sessionId":"<session>"}'],
      ours: ['b ← {"type":"endSessionV1_1","sessionId":"<session>","error":null}'],
    }, {
      row: 'protocol 1.1 (`setProtocolVersion`, `endSessionV1_1`)',
      why: 'its next version has it',
      original: [
        'a ← (nothing)',
        `b ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
        `a ← {"type":"error","details":"Peer with ID 'fence' not found"}`,
      ],
      ours: [
        'a ← {"type":"endSession","sessionId":"<session>"}',
        'b ← {"type":"error","details":"setProtocolVersion has to be the first message"}',
        'a ← {"type":"error","details":"the error of an ended session is for protocol version 1.1"}',
      ],
    }],
    'who leaves ends its sessions, and listeners hear that it is gone': [{
      row: 'the meta of a peer that leaves',
      why: 'it would be kept for as long as a listener does not read',
      original: ['a ← {"type":"peerStatusChanged","roles":[],"meta":{"name":"b"},"peerId":"<b>"}'],
      ours: ['a ← {"type":"peerStatusChanged","roles":[],"meta":null,"peerId":"<b>"}'],
    }, leaving],
    'a consumer that leaves': [leaving],
    'a peer without a role': [leaving, {
      row: 'a peer without a role has another meta, or leaves',
      why: 'others were never told of it',
      original: Array(2).fill('a ← {"type":"peerStatusChanged","roles":[],"meta":{"name":"b"},"peerId":"<b>"}'),
      ours: [],
    }],
    'a third peer that knows a session': [{
      row: 'a session of others, whose id is known',
      why: 'it is the business of its two ends',
      original: Array(2).fill('c ← {"type":"error","details":"Peer <c> is not part of <session>"}'),
      ours: [],
    }, {
      row: 'a session of others, whose id is known',
      why: 'it is the business of its two ends',
      original: ['b ← (nothing)'],
      ours: ['b ← {"type":"peer","sessionId":"<session>","sdp":{"type":"offer","sdp":"does it go on?"}}'],
    }],
    'nine sessions of the same two': [{
      row: 'members, sessions of one, sessions of the same two',
      why: 'each takes memory',
      original: Array(9).fill('b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}'),
      ours: [...Array(8).fill('b ← {"type":"sessionStarted","peerId":"<a>","sessionId":"<an id>"}'), 'b ← {"type":"error","details":"Too many sessions"}'],
    }],
    paths: [{
      row: 'a path',
      why: "all other paths are the page's",
      original: ['/other ← {"type":"welcome","peerId":"<an id>"}'],
      ours: ['/other ← (404 | text/plain; charset=utf-8 | There is nothing here.\n)'],
    }],
    'a plain GET': [{
      row: 'a request that asks for no WebSocket',
      why: 'the answer says what is wrong',
      original: ['GET: (no answer)'],
      ours: ['GET: 426 | application/json | {"code":"upgrade-required","message":"all is well: open a WebSocket here"}'],
    }],
    'a page of another site': [{
      row: 'a page of a foreign origin',
      why: 'pages of other sites may connect where the operator says so',
      original: ['other ← {"type":"welcome","peerId":"<an id>"}'],
      ours: ['other ← (403 | application/json | {"code":"origin-not-allowed","message":"pages of this origin may not connect here"})'],
    }],
  },
};
