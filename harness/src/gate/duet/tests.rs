//! Tests on live servers.
