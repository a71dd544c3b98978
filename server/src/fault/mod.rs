//! The planted faults. Each is a sound server with one defect that real servers have, and names the
//! check that must catch it, or the load, fuzz campaign or gate that must.

mod aborted_accept_ends;
mod accept_error_spin;
mod accept_watchdog;
mod accepts_no_more;
mod accepts_slowly;
mod announces_asked_port;
mod assumes_whole_writes;
mod backlog_1;
mod child_holds_listener;
mod close_on_fin;
mod close_unread;
mod decode_per_buffer;
mod decode_per_recv;
mod default_sigpipe;
mod detached_child;
mod detached_threads;
mod die_after_10000;
mod drain_forever;
mod drains_one_socket;
mod drop_connection_1_in_50;
mod drop_rest;
mod drops_invalid;
mod drops_short_read;
mod empty_index;
mod eof_spin;
mod exit_at_once;
mod exit_on_decode_error;
mod exit_on_rare_read_error;
mod exit_on_read_error;
mod exit_on_send_error;
mod extra_allocation;
mod extra_memory;
mod extra_syscall;
mod fd_leak_on_reset;
mod fixed_lifetime;
mod format_string;
mod full_buffer_byte_lost;
mod global_buffer;
mod global_lock_while_slow;
mod hang_on_half_message;
mod ignore_eof;
mod ignore_term;
mod interrupted_is_eof;
mod keeps_refused;
mod keeps_requests;
mod late_listen;
mod length_per_recv;
mod limit_plus_one;
mod lock_during_send;
mod logs_each_space;
mod logs_traceback;
mod lone_cr_ends_line;
mod lossy_decode;
mod needs_thread;
mod never_idle;
mod no_keepalive;
mod no_reuse_addr;
mod nul_cut;
mod offset_state_lost;
mod one_at_a_time;
mod one_shot;
mod oob_spin;
mod opening_drops_rest;
mod opening_read_once;
mod panic_on_length_313;
mod panic_on_reset;
mod peek;
mod peer_name_spin;
mod place_short;
mod polls;
mod pool_of_8;
mod print_blocking;
mod proxy_late_blocks;
mod proxy_optional;
mod proxy_read_once;
mod quadratic_parse;
mod read_error_in_one_state;
mod recursive_parse;
mod recv_is_message;
mod refusal_ends_all;
mod refusal_keeps_place;
mod reopens_on_reload;
mod rescan;
mod reset_after_reply;
mod reset_in_one_state;
mod reset_keeps_place;
mod reuse_port;
mod searches_all;
mod shared_decoder;
mod shift_for_all;
mod short_replies_first;
mod short_send;
mod silent_emfile_exit;
mod six_messages;
mod slot_per_client;
mod stale_queue;
mod starttls_injection;
mod three_cases;
mod tick;
mod timer_beats_request;
mod timer_reset_per_byte;
mod tls_garbage_kills;
mod tls_handshake_blocks;
mod tls_no_close_notify;
mod tls_one_record;
mod trust_length;
mod turnstile;
mod two_writes;
mod unbounded_message;
mod unbounded_push_queue;
mod unbounded_write_queue;
mod unwrap_option;
mod unwrap_peer;
mod unwrap_print;
mod unwrap_spawn;
mod v6_only;
mod waits_above_limit;
mod write_per_reply;
mod wrong_reply_1_in_1000;

use std::any::Any;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::{self, Command, Stdio};

pub use crate::config::fault::{FUZZ, Fault, GATE, LOAD};
use crate::config::hooks::Scratch;
pub use crate::config::layer::Layer;

/// All planted faults: those for checks, then those for a load, for a fuzz campaign and for the gate.
pub fn all() -> &'static [&'static Fault] {
    ALL
}

/// The fault with this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    ALL.iter().copied().find(|fault| fault.name == name)
}

const ALL: &[&Fault] = &[
    &late_listen::FAULT,
    &announces_asked_port::FAULT,
    &v6_only::FAULT,
    &reuse_port::FAULT,
    &no_reuse_addr::FAULT,
    &child_holds_listener::FAULT,
    &ignore_term::FAULT,
    &exit_at_once::FAULT,
    &drain_forever::FAULT,
    &detached_child::FAULT,
    &reopens_on_reload::FAULT,
    &recv_is_message::FAULT,
    &offset_state_lost::FAULT,
    &length_per_recv::FAULT,
    &drop_rest::FAULT,
    &reset_after_reply::FAULT,
    &full_buffer_byte_lost::FAULT,
    &short_send::FAULT,
    &opening_read_once::FAULT,
    &opening_drops_rest::FAULT,
    &short_replies_first::FAULT,
    &keeps_refused::FAULT,
    &lone_cr_ends_line::FAULT,
    &decode_per_recv::FAULT,
    &decode_per_buffer::FAULT,
    &exit_on_decode_error::FAULT,
    &drops_invalid::FAULT,
    &nul_cut::FAULT,
    &empty_index::FAULT,
    &limit_plus_one::FAULT,
    &place_short::FAULT,
    &close_unread::FAULT,
    &unbounded_message::FAULT,
    &trust_length::FAULT,
    &recursive_parse::FAULT,
    &rescan::FAULT,
    &one_at_a_time::FAULT,
    &pool_of_8::FAULT,
    &global_buffer::FAULT,
    &drains_one_socket::FAULT,
    &shared_decoder::FAULT,
    &backlog_1::FAULT,
    &accepts_slowly::FAULT,
    &slot_per_client::FAULT,
    &waits_above_limit::FAULT,
    &refusal_keeps_place::FAULT,
    &reset_keeps_place::FAULT,
    &stale_queue::FAULT,
    &unbounded_write_queue::FAULT,
    &lock_during_send::FAULT,
    &unbounded_push_queue::FAULT,
    &never_idle::FAULT,
    &fixed_lifetime::FAULT,
    &timer_beats_request::FAULT,
    &no_keepalive::FAULT,
    &timer_reset_per_byte::FAULT,
    &close_on_fin::FAULT,
    &ignore_eof::FAULT,
    &exit_on_read_error::FAULT,
    &unwrap_peer::FAULT,
    &peer_name_spin::FAULT,
    &panic_on_reset::FAULT,
    &default_sigpipe::FAULT,
    &reset_in_one_state::FAULT,
    &eof_spin::FAULT,
    &oob_spin::FAULT,
    &fd_leak_on_reset::FAULT,
    &detached_threads::FAULT,
    &keeps_requests::FAULT,
    &silent_emfile_exit::FAULT,
    &accept_error_spin::FAULT,
    &unwrap_spawn::FAULT,
    &tick::FAULT,
    &polls::FAULT,
    &logs_traceback::FAULT,
    &aborted_accept_ends::FAULT,
    &accepts_no_more::FAULT,
    &refusal_ends_all::FAULT,
    &accept_watchdog::FAULT,
    &interrupted_is_eof::FAULT,
    &assumes_whole_writes::FAULT,
    &drops_short_read::FAULT,
    &exit_on_send_error::FAULT,
    &exit_on_rare_read_error::FAULT,
    &unwrap_option::FAULT,
    &needs_thread::FAULT,
    &unwrap_print::FAULT,
    &two_writes::FAULT,
    &write_per_reply::FAULT,
    &searches_all::FAULT,
    &one_shot::FAULT,
    &print_blocking::FAULT,
    &proxy_read_once::FAULT,
    &proxy_optional::FAULT,
    &proxy_late_blocks::FAULT,
    &tls_handshake_blocks::FAULT,
    &tls_garbage_kills::FAULT,
    &tls_no_close_notify::FAULT,
    &tls_one_record::FAULT,
    &starttls_injection::FAULT,
    &wrong_reply_1_in_1000::FAULT,
    &drop_connection_1_in_50::FAULT,
    &die_after_10000::FAULT,
    &format_string::FAULT,
    &three_cases::FAULT,
    &six_messages::FAULT,
    &read_error_in_one_state::FAULT,
    &panic_on_length_313::FAULT,
    &hang_on_half_message::FAULT,
    &global_lock_while_slow::FAULT,
    &quadratic_parse::FAULT,
    &logs_each_space::FAULT,
    &lossy_decode::FAULT,
    &shift_for_all::FAULT,
    &extra_syscall::FAULT,
    &extra_allocation::FAULT,
    &extra_memory::FAULT,
];

/// The state that a fault keeps about a connection, created with its default.
fn state<T: Any + Send + Default>(scratch: &mut Scratch) -> &mut T {
    if !scratch.as_ref().is_some_and(|state| state.is::<T>()) {
        *scratch = Some(Box::new(T::default()));
    }
    match scratch.as_mut().and_then(|state| state.downcast_mut()) {
        Some(state) => state,
        None => unreachable!("the state was created above"),
    }
}

/// Exits with code 1 and without cleaning up, as after a crash.
fn die(why: &str) -> ! {
    // The exit matters, not the message.
    let _ = writeln!(io::stderr(), "fatal: {why}");
    process::exit(1);
}

/// Exits if a fault cannot be planted, so that the server does not pass for a sound one.
pub(crate) fn or_die<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| die(&format!("cannot plant the fault: cannot {what}: {error}")))
}

/// Starts `sleep` for 10 minutes, without the standard streams of this process.
#[expect(
    clippy::zombie_processes,
    reason = "the child is meant to outlive the server"
)]
fn long_sleep(sleep: &mut Command) {
    sleep
        .arg("600")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    or_die(sleep.spawn(), "start a child");
}
