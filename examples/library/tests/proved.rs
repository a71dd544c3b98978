//! What the server is proved to do. Each test starts servers of its own.

use tcprove::{Prove, ProveError, Workload, ms, secs};

/// The server, and what it speaks.
fn answer() -> Prove {
    Prove::cmd([env!("CARGO_BIN_EXE_answer"), "{port}"]).conversation(
        r#"
        [promise]
        max_message = 4096
        pipelining = true

        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = "{tok}\n"
        expect = "ok, {tok}\n"
        "#,
    )
}

#[test]
fn requests_may_arrive_in_pieces() {
    answer().check("split-*,coalesce-*").assert_pass();
}

#[test]
fn clients_may_leave_at_any_time() {
    answer().check("rst-*,fin-*").assert_pass();
}

#[test]
fn a_conversation_by_hand() -> tcprove::Result {
    let server = answer().start()?;
    let mut client = server.client();
    client.say("hello\nwor")?.expect("ok, hello\n")?;
    client.say("ld\n")?.expect("ok, world\n")?;
    client.say("x".repeat(5000))?.expect("TOO LONG\n")?;
    assert!(server.is_running());
    Ok(())
}

#[test]
fn it_is_fast_enough() {
    let load = Workload::open(200.0).lasting(secs(1));
    match answer().load(load).figures() {
        Ok(figures) => assert!(figures.p99 < ms(50), "{figures}"),
        // `assert` would fail here too.
        Err(ProveError::Machine(busy)) => eprintln!("not judged: {busy}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn nothing_that_a_client_sends_ends_it() {
    answer().fuzz(secs(3)).assert_no_findings();
}
