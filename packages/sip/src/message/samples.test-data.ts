const crlf = (text: string): string => text.replaceAll("\n", "\r\n");

/** Whole messages for tests; each with a body, so that no shorter prefix is a whole message. */
export const SAMPLES: readonly { name: string; text: string }[] = [
	{
		name: "INVITE",
		text: crlf(
			`INVITE sip:bob@biloxi.com SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP a.example:5070;branch=z9hG4bKx
Max-Forwards: 70
To: Bob <sip:bob@biloxi.com>
From: "Alice, \\"A\\"" <sip:alice@atlanta.com>;tag=1928301774
Call-ID: a84b4c76e66710@pc33.atlanta.com
CSeq: 314159 INVITE
Contact: <sip:alice@pc33.atlanta.com>
Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>
Subject: folded
 over	two lines
Content-Type: application/sdp
Content-Length: 9

v=0\no=x\n`.replace("v=0\no=x\n", "v=0 o=xyz"),
		),
	},
	{
		name: "compact INFO",
		text: crlf(`INFO sip:bob@192.0.2.1:5060;transport=udp SIP/2.0
v: SIP/2.0/UDP [2001:db8::1]:5062;branch=z9hG4bKnashds8
t: <sip:bob@biloxi.com>;tag=x
f: sip:alice@atlanta.com;tag=456248
i: 843817637684230@998sdasdh09
CSeq: 1826 INFO
m: *
c: application/dtmf-relay
l: 8

Signal=5`),
	},
	{
		name: "200 response",
		text: crlf(`SIP/2.0 200 OK, très bien
Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7;received=192.0.2.4;rport=5060
To: Bob <sip:bob@biloxi.com>;tag=2493k59kd
From: Bob <sip:bob@biloxi.com>;tag=456248
Call-ID: 843817637684230@998sdasdh09
CSeq: 1826 INVITE
Contact: <sip:bob@192.0.2.4>
WWW-Authenticate: Digest realm="a, b", nonce="x", qop="auth,auth-int"
Content-Length: 3

abc`),
	},
];
