//! `[transport]`: how clients reach the server.

use std::fmt::{self, Formatter};

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::server::check_text;
use super::value::{At, OneOrMore, Text};
use super::{Context, Fault, Read};
use crate::process::Launch;
use crate::talk::{Opening, Talk};
use crate::transport::{ProxyVersion, Tls, TlsError, TlsSettings, Transport};

/// How clients reach the server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransportTable {
    /// TLS. With {tls.cert} and {tls.key} in `cmd`, the server gets a certificate of a test authority.
    tls: Option<At<TlsValue>>,
    /// The path of the Unix socket on which the server listens, as in "{tmp}/server.sock".
    unix: Option<Text>,
    /// The PROXY protocol header that starts each connection.
    proxy: Option<ProxyValue>,
}

#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
enum TlsValue {
    Switch(bool),
    Settings(TlsTable),
}

/// By hand: serde's untagged enums copy the value first, and lose its places.
impl<'de> Deserialize<'de> for TlsValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TlsVisitor)
    }
}

struct TlsVisitor;

impl<'de> Visitor<'de> for TlsVisitor {
    type Value = TlsValue;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("true or { ca, name, cert, key, alpn }")
    }

    fn visit_bool<E>(self, value: bool) -> Result<TlsValue, E> {
        Ok(TlsValue::Switch(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TlsValue, A::Error> {
        TlsTable::deserialize(MapAccessDeserializer::new(map)).map(TlsValue::Settings)
    }
}

/// TLS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    /// A file with the certificates of the authorities to trust, in PEM. Without it a server that brings its own
    /// certificate is trusted whatever that is.
    ca: Option<Text>,
    /// The name that the certificate has to bear, and that is sent (SNI). Default: localhost.
    name: Option<Text>,
    /// A file with the client's certificate, in PEM.
    cert: Option<Text>,
    /// A file with the client's key, in PEM.
    key: Option<Text>,
    /// Protocols to offer (ALPN), the preferred one first.
    alpn: Option<OneOrMore<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "\"v1\" or \"v2\"")]
enum ProxyValue {
    V1,
    V2,
}

impl At<TransportTable> {
    pub(super) fn transport(
        self,
        context: &Context<'_>,
        talk: &Talk,
        server: Option<&Launch>,
    ) -> Read<Transport> {
        let (at, table) = self.split();
        if let Some(path) = &table.unix {
            socket_path(path, server)?;
        }
        let starttls = has_starttls(talk);
        let tls = match table.tls {
            Some(tls) => tls.tls(context, starttls)?,
            None => None,
        };
        if starttls && tls.is_none() {
            return Err(starttls_without_tls());
        }
        if tls.is_some() && talk.has_login() {
            let message = "a [[talk.open]] with `exec` gets the socket itself, which TLS encrypts";
            let help = "describe the login by exchanges, or leave TLS out";
            return Err(at.fault(message).help(help));
        }
        Ok(Transport {
            unix: table.unix.map(|path| path.value),
            proxy: table.proxy.map(|version| match version {
                ProxyValue::V1 => ProxyVersion::V1,
                ProxyValue::V2 => ProxyVersion::V2,
            }),
            tls,
        })
    }
}

/// The transport of a file without `[transport]`: plain TCP.
pub(super) fn none(talk: &Talk) -> Read<Transport> {
    if has_starttls(talk) {
        return Err(starttls_without_tls());
    }
    Ok(Transport::default())
}

fn has_starttls(talk: &Talk) -> bool {
    let mut steps = talk.open.iter();
    steps.any(|step| matches!(step, Opening::StartTls))
}

fn starttls_without_tls() -> Fault {
    Fault::new(
        0..0,
        "a [[talk.open]] has `starttls`, but the file does not set up TLS",
    )
    .help("add [transport] with tls = true")
}

fn socket_path(path: &Text, server: Option<&Launch>) -> Read<()> {
    if path.value.is_empty() {
        return Err(path.fault("`unix` is empty: it is the path of a socket"));
    }
    let none = Default::default();
    let params = server.map_or(&none, |server| &server.params);
    check_text(path, "the path of a socket", params)
}

impl At<TlsValue> {
    fn tls(self, context: &Context<'_>, starttls: bool) -> Read<Option<Tls>> {
        let (at, value) = self.split();
        let table = match value {
            TlsValue::Switch(false) => return Ok(None),
            TlsValue::Switch(true) => TlsTable::default(),
            TlsValue::Settings(table) => table,
        };
        let client = match (&table.cert, &table.key) {
            (Some(cert), Some(key)) => Some((read(cert, context)?, read(key, context)?)),
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                let message = "a client's certificate needs both `cert` and `key`";
                return Err(one.fault(message));
            }
        };
        let usual = TlsSettings::default();
        let settings = TlsSettings {
            ca: table.ca.map(|ca| read(&ca, context)).transpose()?,
            name: table.name.map_or(usual.name, |name| name.value),
            client,
            alpn: table.alpn.map_or_else(Vec::new, |alpn| alpn.0),
        };
        let tls = Tls::new(settings, starttls);
        tls.check()
            .map_err(|error: TlsError| at.fault(error.to_string()))?;
        Ok(Some(tls))
    }
}

fn read(path: &Text, context: &Context<'_>) -> Read<Vec<u8>> {
    let place = context.dir.join(&path.value);
    (context.read)(&place)
        .map_err(|error| path.fault(format!("{} cannot be read: {error}", path.value)))
}
