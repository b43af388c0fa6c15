use super::addresses::address_of;
use super::front::{Front, Manner};
use crate::support::{command, config, fresh_database, home};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use spar::config::Secret;
use spar::{Config, Store};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        let pem = folder.join(name);
        std::fs::write(&pem, certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What a server shows that has a certificate of this authority for `names`.
    fn server(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        speaking(certificate.der().clone(), &key)
    }
}

fn speaking(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// A certificate that is its own authority, as `openssl req -x509` makes it.
fn self_made(folder: &Path) -> (Arc<ServerConfig>, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let pem = folder.join("self.pem");
    std::fs::write(&pem, certificate.pem()).unwrap();
    (speaking(certificate.der().clone(), &key), pem)
}

/// The settings of a database behind a front, with these parameters of its URL.
fn behind(config: &Config, front: &Front, parameters: &str) -> Config {
    let mut url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    url.set_port(Some(front.port)).unwrap();
    url.set_query((!parameters.is_empty()).then_some(parameters));
    Config { database_url: Some(Secret::new(url)), ..config.clone() }
}

#[test]
fn a_server_that_demands_tls_is_reached_where_its_authority_is_trusted() {
    let database = fresh_database();
    let folder = tempfile::Builder::new().prefix("authorities, été ").tempdir().unwrap();
    let (known, other) = (Authority::new(folder.path(), "ca.pem"), Authority::new(folder.path(), "other.pem"));
    let server = address_of(database.database_url().unwrap());
    let front = |config| Front::start(Manner::Tls(server, config));
    let good = front(known.server(&["127.0.0.1"], |_| ()));
    let misnamed = front(known.server(&["db.example"], |_| ()));
    let expired = front(known.server(&["127.0.0.1"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)));
    let (own, own_pem) = self_made(folder.path());
    let own = front(own);
    let encoded = |pem: &Path| pem.display().to_string().replace(' ', "%20").replace('é', "%C3%A9");
    let trusting = |pem: &Path| format!("sslrootcert={}", encoded(pem));

    for mode in ["require", "verify-ca", "verify-full", "prefer"] {
        let parameters = format!("sslmode={mode}&{}", trusting(&known.pem));
        let config = behind(&database, &good, &parameters);
        let tables = Store::create(&config).and_then(|store| store.query("SELECT 1 AS one", &[])).unwrap();
        assert_eq!(tables.height(), 1, "{mode}");
    }
    // Nothing about TLS in the URL: it is used because the server offers it.
    Store::connect(&behind(&database, &good, &trusting(&known.pem))).unwrap();

    let require = |pem: &Path| format!("sslmode=require&{}", trusting(pem));
    let absent = folder.path().join("absent.pem");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let cases: Vec<(&str, &Front, String, [&str; 2])> = vec![
        ("an unknown authority", &good, require(&other.pem), ["UnknownIssuer", "sslrootcert="]),
        ("the system's authorities", &good, "sslmode=require".into(), ["UnknownIssuer", "sslrootcert="]),
        ("no word about TLS", &good, String::new(), ["UnknownIssuer", "sslrootcert="]),
        ("another name", &misnamed, require(&known.pem), ["not valid for", "as the certificate names it"]),
        ("an expired certificate", &expired, require(&known.pem), ["expired", "renew"]),
        ("an authority's own certificate", &own, require(&own_pem), ["CaUsedAsEndEntity", "CA:FALSE"]),
        ("no TLS", &good, "sslmode=disable".into(), ["no encryption", "add ?sslmode=require"]),
        ("a file that is not there", &good, require(&absent), ["absent.pem", "correct sslrootcert"]),
        ("a file without a certificate", &good, require(&empty), ["no certificate", "correct sslrootcert"]),
    ];
    for (what, front, parameters, signs) in &cases {
        let config = behind(&database, front, parameters);
        let error = Store::connect(&config).map(drop).unwrap_err();
        let said = error.to_string();
        println!("{what}: {said}");
        for sign in signs {
            assert!(said.contains(sign), "{what}: {sign} in {said}");
        }
        assert!(!error.is_transient(), "{what}: trying again does not help");
        let password = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
        assert!(!said.contains(password.password().unwrap()), "{what}");
    }
}

#[test]
fn the_usual_variable_names_the_authorities_to_trust() {
    let database = fresh_database();
    let folder = tempfile::tempdir().unwrap();
    let known = Authority::new(folder.path(), "ca.pem");
    let server = address_of(database.database_url().unwrap());
    let good = Front::start(Manner::Tls(server, known.server(&["127.0.0.1"], |_| ())));
    let url = behind(&database, &good, "sslmode=require");
    let state = |trusted: Option<&Path>| {
        let mut check = Command::new(command());
        check.arg("check").env("SPAR_HOME", home()).env("SPAR_STATE", folder.path().join("state"));
        check.env("KAFKA_BOOTSTRAP_SERVERS", config().kafka.unwrap());
        check.env("DATABASE_URL", url.database_url().unwrap().expose());
        if let Some(file) = trusted {
            check.env("SSL_CERT_FILE", file);
        }
        let output = check.output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let (trusted, untrusted) = (state(Some(&known.pem)), state(None));
    assert!(trusted.contains("ready: version 1") && !trusted.contains("UnknownIssuer"), "{trusted}");
    assert!(untrusted.contains("UnknownIssuer") && untrusted.contains("unusable"), "{untrusted}");
}
