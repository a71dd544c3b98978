//! The reference TCP server of tcprove: small protocols, every concurrency model, planted faults.
//!
//! It is sound by default and says how in code: [`service`] turns bytes into replies and knows no
//! socket, [`model`] decides which thread or process carries a connection, and between them one
//! sans-IO session (`session`) decides what happens on a connection, for every model alike. [`carry`]
//! holds such a session over any stream, without a socket and without a runtime.
//! [`fault`] plants one defect at a time through the few places listed in [`hooks`].
//!
//! ```
//! use tcprove_server::{Config, Shutdown, bind, run};
//!
//! let config = Config { port: 0, ..Config::default() };
//! let listener = bind(&config)?;
//! let address = listener.local_addr()?;
//! let shutdown = Shutdown::new()?;
//! let server = std::thread::spawn({
//!     let shutdown = shutdown.clone();
//!     move || run(listener, config, shutdown)
//! });
//! std::net::TcpStream::connect(address)?;
//! shutdown.trigger();
//! server.join().expect("the server does not panic")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "cli")]
pub mod cli;
mod config;
mod delay;
mod error;
pub mod escape;
pub mod fault;
pub mod hooks;
mod listen;
pub mod model;
pub mod service;
mod session;
mod shutdown;
mod sys;

pub use config::Config;
pub use delay::Delay;
pub use error::ServerError;
pub use fault::Fault;
pub use listen::bind;
pub use model::{Model, run};
pub use service::Protocol;
pub use session::stream::carry;
pub use shutdown::Shutdown;
