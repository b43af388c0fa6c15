//! An instance behind TLS: reached where its authority is trusted, given up at once where its certificate is wrong.

use crate::ingest::{TOKEN, config_for};
use crate::stand_in::{StandIn, healthy, json};
use crate::support::{self, command, home};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use spar::{Config, Mastodon};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Speaks TLS before a server that does not; it ends when it is dropped.
struct Front {
    url: String,
    _runtime: tokio::runtime::Runtime,
}

fn front(server: &StandIn, tls: ServerConfig) -> Front {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (acceptor, server) = (TlsAcceptor::from(Arc::new(tls)), server.url.replace("http://", ""));
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // A client that does not like the certificate goes.
                let (Ok(mut client), Ok(mut server)) =
                    (acceptor.accept(client).await, TcpStream::connect(server).await)
                else {
                    return;
                };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    Front { url, _runtime: runtime }
}

/// An authority of the test's own, and its certificate in a file.
fn authority(folder: &Path, name: &str) -> (Issuer<'static, KeyPair>, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let pem = folder.join(name);
    std::fs::write(&pem, params.self_signed(&key).unwrap().pem()).unwrap();
    (Issuer::new(params, key), pem)
}

/// What a server shows that has a certificate of `issuer`.
fn certified(issuer: &Issuer<KeyPair>, name: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap()
}

#[test]
fn an_instance_is_reached_by_a_good_certificate_only_and_a_wrong_one_is_told_at_once() {
    let server = StandIn::start(|request| healthy(request).unwrap_or_else(|| json(404, json!({}))));
    let folder = tempfile::tempdir().unwrap();
    let (known, trusted) = authority(folder.path(), "known.pem");
    let (_, other) = authority(folder.path(), "other.pem");
    let good = front(&server, certified(&known, "127.0.0.1", |_| ()));
    let misnamed = front(&server, certified(&known, "elsewhere.example", |_| ()));
    let expired =
        front(&server, certified(&known, "127.0.0.1", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)));
    let running = support::config();
    // The authorities that a machine trusts are its own affair: a process is told by its environment.
    let check = |url: &str, authorities: &Path| {
        let output = Command::new(command())
            .arg("check")
            .env("SPAR_HOME", home())
            .env("SPAR_STATE", folder.path().join("state"))
            .env("SSL_CERT_FILE", authorities)
            .env_remove("SSL_CERT_DIR")
            .env("MASTODON_URL", url)
            .env("MASTODON_ACCESS_TOKEN", TOKEN)
            .env("KAFKA_BOOTSTRAP_SERVERS", running.kafka().unwrap())
            .env("DATABASE_URL", running.database_url().unwrap().expose())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    };
    assert_eq!(check(&good.url, &trusted), (Some(0), String::new()));
    let asked = server.asked("/api/v1/accounts/verify_credentials");
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {TOKEN}"));
    for (name, front, authorities, why) in [
        ("an unknown authority", &good, &other, "UnknownIssuer"),
        ("another name", &misnamed, &trusted, "not valid for"),
        ("an expired certificate", &expired, &trusted, "expired"),
    ] {
        let (code, told) = check(&front.url, authorities);
        println!("{name}: {told}");
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains(why) && told.contains("certificate store"), "{name}: {told}");
        assert!(!told.contains('\n') && !told.contains(TOKEN), "{name}: {told}");
    }
    // Within a cell: final, not tried again.
    let config = Config { mastodon_url: Some(good.url.clone()), ..config_for(&server, running) };
    let error = Mastodon::connect(&config).map(|_| ()).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.asked("/api/v1/accounts/verify_credentials").len(), asked.len(), "no token went out");
}
