//! Files that are understood, files that are not, and where the fault is shown.

mod builtins;
mod faults;
mod good;
mod limit_faults;
mod mutations;
mod order_faults;
mod server;
mod talk_faults;
mod talks;
