//! The reference TCP server of tcprove: small protocols, every concurrency model, planted faults.
//!
//! [`service`] turns bytes into replies, without sockets. [`model`] decides which thread or process
//! serves a connection. Between them, one sans-IO session (`session`) decides what happens on a
//! connection, in the same way for every model; [`carry`] drives such a session over any stream,
//! without a socket or a runtime. The server is sound by default; [`fault`] plants one defect at a
//! time through the hooks in `config::hooks`.
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
mod escape;
pub mod fault;
mod listen;
pub mod model;
mod peer;
mod proxy;
pub mod service;
mod session;
mod shutdown;
mod sys;
mod tls;
mod transport;

pub use config::Config;
pub use config::layer::Layer;
pub use delay::Delay;
pub use error::ServerError;
pub use fault::Fault;
pub use listen::{Listener, bind};
pub use model::{Model, run};
pub use proxy::ProxyVersion;
pub use service::Protocol;
pub use session::stream::carry;
pub use shutdown::Shutdown;
pub use tls::{Tls, TlsFiles};
