//! An HTTP server of async-h1 that sends bodies back.

use async_std::{net::TcpListener, prelude::*, task};
use http_types::{Response, StatusCode};
#[async_std::main]
async fn main() -> http_types::Result<()> {
    let port = std::env::args().nth(1).unwrap();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let mut incoming = listener.incoming();
    while let Some(stream) = incoming.next().await {
        let Ok(stream) = stream else { continue };
        task::spawn(async move {
            let _ = async_h1::accept(stream, |mut request| async move {
                let body = request.body_string().await?;
                let mut response = Response::new(StatusCode::Ok);
                response.set_body(body);
                Ok(response)
            })
            .await;
        });
    }
    Ok(())
}
