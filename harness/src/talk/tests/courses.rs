//! Turns that come after others, once on each connection, or last.

use std::path::Path;

use crate::file;
use crate::talk::{Course, Talk, Walk};

/// `login` once, `query` after it, `free` at any time, `quit` last, `store` after `query`.
const ORDERED: &str = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
name = "query"
send = "query\n"
expect = "ok\n"
after = "login"
[[talk.turn]]
name = "login"
send = "login\n"
expect = "ok\n"
once = true
[[talk.turn]]
send = "free\n"
expect = "ok\n"
[[talk.turn]]
send = "quit\n"
expect = "bye\n"
last = true
[[talk.turn]]
name = "store"
send = "store\n"
expect = "ok\n"
after = ["query", "login"]
[[talk.bad]]
send = "nonsense\n"
expect = "no\n"
after = "store"
"#;

const QUERY: usize = 0;
const LOGIN: usize = 1;
const FREE: usize = 2;
const QUIT: usize = 3;
const STORE: usize = 4;

fn talk(source: &str) -> Talk {
    file::parse(source, "test.toml", Path::new("."))
        .unwrap_or_else(|error| panic!("{error}"))
        .talk
}

fn course(turns: &[usize], repeats: bool) -> Course {
    Course {
        turns: turns.to_vec(),
        repeats,
    }
}

#[test]
fn a_connection_carries_what_comes_before() {
    let talk = talk(ORDERED);
    assert_eq!(talk.before(&talk.turns[QUERY]), [LOGIN]);
    assert_eq!(talk.before(&talk.turns[STORE]), [LOGIN, QUERY]);
    assert_eq!(talk.before(&talk.bad[0]), [LOGIN, QUERY, STORE]);
    assert!(talk.before(&talk.turns[FREE]).is_empty());
    let mut walk = Walk::default();
    assert_eq!(walk.steps_to(&talk, STORE), Some(vec![LOGIN, QUERY, STORE]));
    walk.said(&talk, LOGIN);
    assert_eq!(walk.steps_to(&talk, LOGIN), None, "once");
    assert_eq!(walk.steps_to(&talk, QUERY), Some(vec![QUERY]));
    walk.said(&talk, QUERY);
    assert_eq!(walk.steps_to(&talk, QUERY), Some(vec![QUERY]));
    assert_eq!(walk.steps_to(&talk, STORE), Some(vec![STORE]));
    walk.said(&talk, QUIT);
    assert_eq!(walk.steps_to(&talk, FREE), None, "last");
    assert_eq!(walk.steps_to(&talk, 9), None);
}

#[test]
fn tours_say_every_turn() {
    let ordered = talk(ORDERED);
    assert_eq!(
        ordered.tours(),
        [vec![LOGIN, QUERY, FREE, QUIT], vec![LOGIN, QUERY, STORE]]
    );
    let lines = ORDERED.lines().filter(|line| !line.starts_with("after"));
    let closes = lines.collect::<Vec<_>>().join("\n");
    let closes = closes.replace("[talk]", "[talk]\nclose = \"server-after-reply\"");
    assert_eq!(talk(&closes).tours(), [[0], [1], [2], [3], [4]]);
    let free = talk("[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n");
    assert_eq!(free.tours(), [[0]]);
}

#[test]
fn the_way_to_a_turn_is_the_tour_up_to_it() {
    let ordered = talk(ORDERED);
    for (index, way) in [
        (LOGIN, vec![]),
        (QUERY, vec![LOGIN]),
        (FREE, vec![LOGIN, QUERY]),
    ] {
        assert_eq!(ordered.way_to(index), way, "{index}");
    }
    assert_eq!(ordered.way_to(99), Vec::<usize>::new());
}

#[test]
fn courses_repeat_what_can_be_repeated() {
    let talk = talk(ORDERED);
    assert_eq!(talk.courses(&[FREE]), None);
    let courses = talk.courses(&[QUERY]).unwrap();
    assert_eq!(courses.lead_in, [LOGIN]);
    assert_eq!(courses.each, [course(&[QUERY], true)]);
    let courses = talk.courses(&[STORE, FREE]).unwrap();
    assert_eq!(courses.lead_in, [LOGIN, QUERY]);
    assert_eq!(courses.each, [course(&[STORE, FREE], true)]);
    // What is asked for is measured, so it is not part of the lead-in.
    let courses = talk.courses(&[QUERY, LOGIN]).unwrap();
    assert!(courses.lead_in.is_empty());
    assert_eq!(courses.each, [course(&[LOGIN, QUERY], false)]);
    let courses = talk.courses(&[QUIT, QUERY]).unwrap();
    assert_eq!(courses.each, [course(&[QUERY, QUIT], false)]);
}

#[test]
fn a_connection_has_one_last_turn() {
    let two = ORDERED.replace("send = \"free\\n\"", "send = \"free\\n\"\nlast = true");
    let talk = talk(&two);
    let courses = talk.courses(&[FREE, QUIT, QUERY]).unwrap();
    assert_eq!(courses.lead_in, [LOGIN]);
    assert_eq!(
        courses.each,
        [course(&[QUERY, FREE], false), course(&[QUIT], false)]
    );
    assert!(!talk.repeats(&talk.turns[FREE]) && !talk.repeats(&talk.turns[LOGIN]));
    assert!(talk.goes_on_after(&talk.turns[LOGIN]) && talk.carries_many_turns());
}

#[test]
fn built_in_turns_keep_their_order() {
    let talk = talk(
        "[talk]\nuse = \"line\"\n[[talk.turn]]\nname = \"mine\"\nsend = \"a\\n\"\nexpect = \"a\\n\"\n\
         [[talk.turn]]\nsend = \"b\\n\"\nexpect = \"b\\n\"\nafter = \"mine\"\n",
    );
    assert_eq!(talk.before(&talk.turns[1]), [0]);
    assert!(talk.turns.len() > 2);
}
