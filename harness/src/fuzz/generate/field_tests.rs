//! What the fields of a talk lead to: cases that only somebody would write who knows the protocol.

use std::collections::BTreeMap;
use std::path::Path;

use memchr::memmem;

use super::*;
use crate::fuzz::material::announced;
use crate::talk::Frame;

const FORM: &str = r#"
server.cmd = ["server", "{port}"]
talk.frame = "http1"
[[talk.turn]]
send = "GET /{tok} HTTP/1.1\r\nHost: localhost\r\nCookie: seen=yes\r\n\r\n"
expect = { regex = "^HTTP/1.1 200 " }
[[talk.turn]]
send = "POST /{tok} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{{\"a\":1}"
expect = { regex = "^HTTP/1.1 200 " }
[[talk.turn]]
send = "POST /{tok} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=xy\r\nContent-Length: 68\r\n\r\n--xy\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--xy--\r\n"
expect = { regex = "^HTTP/1.1 200 " }
"#;

fn material(talk: &str) -> Arc<Material> {
    let file = crate::file::parse(talk, "tcprove.toml", Path::new(".")).unwrap();
    Arc::new(Material::of(
        &file.talk,
        &file.promise,
        7,
        &[],
        BTreeMap::new(),
    ))
}

fn mqtt() -> Arc<Material> {
    let file = crate::file::builtin("mqtt").unwrap();
    Arc::new(Material::of(
        &file.talk,
        &file.promise,
        7,
        &[],
        BTreeMap::new(),
    ))
}

/// A name and a property of the bytes of a case.
type Wanted<'a> = (&'a str, &'a dyn Fn(&[u8]) -> bool);

/// Asserts that each of `wanted` is met within so many cases, for two seeds.
fn reaches(material: &Arc<Material>, cases: usize, wanted: &[Wanted<'_>]) {
    for seed in 0..2 {
        let mut generator = Generator::new(material.clone(), seed, 0, 1);
        let mut left = wanted.to_vec();
        for _ in 0..cases {
            let case = generator.next(&[]).case;
            let mut sent = Vec::new();
            case.sends().for_each(|send| send.data.write(&mut sent));
            left.retain(|(_, is_met)| !is_met(&sent));
            if left.is_empty() {
                break;
            }
        }
        let left: Vec<&str> = left.iter().map(|(what, _)| *what).collect();
        assert!(left.is_empty(), "seed {seed}: {left:?}");
    }
}

fn has(bytes: &[u8], part: &str) -> bool {
    memmem::find(bytes, part.as_bytes()).is_some()
}

/// Whether the bytes are one whole request.
fn is_whole(bytes: &[u8]) -> bool {
    matches!(Frame::Http1.decoder().next(bytes), Ok(Some(len)) if len == bytes.len())
}

#[test]
fn headers_get_values_that_belong_to_them() {
    reaches(
        &material(FORM),
        20_000,
        &[
            ("a property of objects as a type", &|sent| {
                has(sent, "Content-Type: constructor\r\n") && is_whole(sent)
            }),
            ("another type", &|sent| {
                has(sent, "Content-Type: text/plain; charset=nope\r\n")
            }),
            ("a new header", &|sent| has(sent, "\r\nTransfer-Encoding: ")),
            ("another method", &|sent| sent.starts_with(b"TRACE /")),
            ("a header twice", &|sent| {
                memmem::find_iter(sent, "Content-Type: application/json\r\n").count() == 2
            }),
            ("a member less", &|sent| {
                sent.ends_with(b"\r\n\r\n{}") && is_whole(sent)
            }),
        ],
    );
}

#[test]
fn pairs_get_others_beside_them_that_depend_on_each_other() {
    let query = FORM.replacen("GET /{tok} ", "GET /?list[0]=a&{tok} ", 1);
    let form = "application/x-www-form-urlencoded\\r\\nContent-Length: 7\\r\\n\\r\\na=1&b=2";
    let json = "application/json\\r\\nContent-Length: 7\\r\\n\\r\\n{{\\\"a\\\":1}";
    assert!(query.contains(json));
    reaches(
        &material(&query.replacen(json, form, 1)),
        600,
        &[
            ("an array by its prototype, in a query", &|sent| {
                has(
                    sent,
                    "?list[0][__proto__]=b&list[0][__proto__]&list[0][length]=",
                )
            }),
            ("the same in a form", &|sent| {
                is_whole(sent) && has(sent, "\r\n\r\na[__proto__]=b&a[__proto__]&a[length]=")
            }),
        ],
    );
}

#[test]
fn parts_get_headers_and_the_length_stays_right() {
    reaches(
        &material(FORM),
        20_000,
        &[
            ("a length of a part", &|sent| {
                let body = memmem::find(sent, b"--xy\r\n").map(|at| &sent[at..]);
                is_whole(sent)
                    && body.is_some_and(|body| {
                        let head = memmem::find(body, b"\r\n\r\n").unwrap_or(0);
                        has(&body[..head].to_ascii_lowercase(), "content-length: 1")
                    })
            }),
            ("a part that begins with a folded line", &|sent| {
                is_whole(sent) && has(sent, "--xy\r\n Content-Disposition: form-data")
            }),
            ("two parts", &|sent| {
                is_whole(sent) && memmem::find_iter(sent, b"--xy\r\n").count() == 2
            }),
        ],
    );
}

#[test]
fn values_are_pumped_where_parsers_stumble() {
    let unit = |sent: &[u8], before: &str, unit: &str, times: usize| {
        memmem::find(sent, [before, &unit.repeat(times)].concat().as_bytes()).is_some()
    };
    reaches(
        &material(FORM),
        20_000,
        &[
            ("an open quote", &|sent| {
                unit(sent, "Content-Type: application/json; a=\"", "\\", 1000) && is_whole(sent)
            }),
            ("a quoted cookie", &|sent| {
                unit(sent, "seen=\"", "\\\"", 1000)
            }),
            ("an odd end", &|sent| {
                has(sent, &["Host: ", &"a".repeat(1000)].concat()) && has(sent, "a\x10\r\n")
            }),
            ("many of them", &|sent| unit(sent, "", ";a", 10_000)),
        ],
    );
}

/// On a slow server a campaign is over after some thousand cases.
#[test]
fn the_most_telling_values_and_pumps_come_soon() {
    const QUERY: &str = r#"
server.cmd = ["server", "{port}"]
talk.frame = "http1"
[[talk.turn]]
send = "GET /find?kind=word&text={tok} HTTP/1.1\r\nHost: localhost\r\nX-Origin: a, b\r\n\r\n"
expect = { regex = "^HTTP/1.1 200 " }
[[talk.turn]]
send = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=b&c=d"
expect = { regex = "^HTTP/1.1 200 " }
"#;
    reaches(
        &material(QUERY),
        4_000,
        &[
            ("a property of objects in all of a query", &|sent| {
                has(sent, "?kind=toString&text=toString HTTP") && is_whole(sent)
            }),
            ("a property of objects in all of a form", &|sent| {
                sent.ends_with(b"a=__proto__&c=__proto__") && is_whole(sent)
            }),
            (
                "a property of objects in headers that the talk has not",
                &|sent| has(sent, "\r\nAccept-Encoding: __proto__\r\n") && is_whole(sent),
            ),
            ("white space in a header", &|sent| {
                has(sent, &["X-Origin: a, b", &" ".repeat(1000)].concat())
            }),
            ("bytes behind a form", &|sent| {
                sent.ends_with(&[b'a'; 16 << 10]) && is_whole(sent)
            }),
            ("deep keys in a form", &|sent| {
                has(sent, &"[a]".repeat(10_000)) && is_whole(sent)
            }),
        ],
    );
}

#[test]
fn json_behind_a_command_has_members() {
    const EVENTS: &str = r#"
server.cmd = ["server", "{port}"]
talk.frame = "websocket"
[[talk.turn]]
send = '42["chat","{tok}"]'
expect = '42["chat","{tok}"]'
"#;
    let is_whole =
        |sent: &[u8]| Frame::WebSocket.decoder().next(sent).ok() == Some(Some(sent.len()));
    reaches(
        &material(EVENTS),
        2_000,
        &[("an object as the name of an event", &|sent| {
            has(sent, r#"42[{"toString":1},""#) && is_whole(sent)
        })],
    );
}

#[test]
fn binary_messages_get_properties_and_wrong_lengths() {
    // A packet that ends a session of the newer version, with properties that are longer than the packet.
    let lies = |sent: &[u8]| {
        let at = memmem::find(sent, b"\0\x04MQTT\x05").map(|at| &sent[at..]);
        let end = at.and_then(|rest| memmem::find(rest, b"\xe0\x02\0").map(|at| &rest[at + 3..]));
        end.is_some_and(|end| end.first().is_some_and(|len| usize::from(*len) > end.len()))
    };
    reaches(
        &mqtt(),
        40_000,
        &[
            ("properties", &|sent| {
                has(sent, "MQTT\x05\x02\0\x3c\x03\x21\0\x0a")
            }),
            ("a length behind which is less", &lies),
        ],
    );
}

#[test]
fn inner_lengths_follow_what_they_count() {
    let before = b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abc";
    let frame = Frame::None;
    let mut after = b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abcdef".to_vec();
    announced::repair(&frame, before, &mut after);
    assert!(after.ends_with(b"\0\x06abcdef"), "{after:?}");
}

#[test]
fn words_that_were_heard_are_used() {
    let mut generator = Generator::new(material(FORM), 1, 0, 1);
    while generator.planned() > 0 {
        generator.next(&[]);
    }
    generator.learn([b"x-secret-door".to_vec()].into_iter());
    let mut sent = (0..20_000).map(|_| {
        let mut sent = Vec::new();
        let case = generator.next(&[]).case;
        case.sends().for_each(|send| send.data.write(&mut sent));
        sent
    });
    assert!(sent.any(|sent| has(&sent, "x-secret-door")));
}

#[test]
fn half_of_the_cases_wait_where_a_fin_drops_the_request() {
    let waiting = |lingers: bool| {
        let mut material = material(FORM);
        Arc::make_mut(&mut material).lingers = lingers;
        let mut generator = Generator::new(material, 1, 0, 1);
        let cases = (0..2000).map(|_| generator.next(&[]).case);
        cases
            .filter(|case| case.steps.last() == Some(&Step::Receive))
            .count()
    };
    assert_eq!(waiting(false), 0);
    assert!((500..1200).contains(&waiting(true)));
}

#[test]
fn heads_of_parts_soon_get_what_belongs_there() {
    let material = material(FORM);
    let of_part = |sent: &[u8], line: &str| {
        let part = memmem::find(sent, b"--xy\r\n").map(|at| &sent[at..]);
        let head = part.and_then(|part| Some(&part[..memmem::find(part, b"\r\n\r\n")?]));
        is_whole(sent) && head.is_some_and(|head| has(head, line))
    };
    reaches(
        &material,
        1500,
        &[
            ("a length beyond the part", &|sent| {
                of_part(sent, "\r\nContent-Length: 100")
            }),
            ("an encoding", &|sent| {
                of_part(sent, "\r\nContent-Transfer-Encoding: base64")
            }),
            ("a part in a part", &|sent| {
                of_part(sent, "\r\nContent-Type: multipart/mixed")
            }),
        ],
    );
}

#[test]
fn every_line_is_soon_there_two_thousand_times() {
    let times = |sent: &[u8], line: &str| memmem::find_iter(sent, line).count() > 2000;
    reaches(
        &material(FORM),
        3000,
        &[
            ("a header of the first turn", &|sent| {
                times(sent, "C:s=y\r\n")
            }),
            ("a header of the last turn", &|sent| {
                times(sent, "C-T:m/f-d; b=x\r\n") || times(sent, "boundary=xy\r\n")
            }),
        ],
    );
}

#[test]
fn bodies_without_a_payload_have_a_field_that_can_grow() {
    let bodies = material(FORM).bodies();
    let fields = bodies.iter().map(|body| &body.message[body.at.clone()]);
    assert_eq!(fields.collect::<Vec<_>>(), [&b"1"[..], b"hello"]);
    assert!(material("server.cmd = ['a', '{port}']\ntalk.frame = 'http1'\n[[talk.turn]]\nsend = \"GET /{tok} HTTP/1.1\\r\\n\\r\\n\"\nexpect = 'a'").bodies().is_empty());
}

#[test]
fn every_header_soon_gets_the_most_telling_values() {
    reaches(
        &material(FORM),
        3000,
        &[
            ("a property of objects as a type", &|sent| {
                has(sent, "Content-Type: constructor\r\n") && is_whole(sent)
            }),
            ("one as a cookie", &|sent| {
                has(sent, "Cookie: __proto__\r\n")
            }),
        ],
    );
}
