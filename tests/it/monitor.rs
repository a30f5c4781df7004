//! What is beside the program for those who watch it: a real Prometheus asks two nodes under load, and every query of the
//! dashboard and of the rules finds what it asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::client::message_to;
use crate::cluster::{Nodes, ready};
use crate::nats::Nats;
use crate::program::{Program, free_port};
use crate::status::monitor;
use crate::turn::talk;
use crate::within;

/// A part of Debian's package, which is unpacked.
fn tool(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = target.join("prometheus/usr/bin").join(name);
    assert!(path.exists(), "{} is missing: make test-monitor", path.display());
    path
}

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// Asks two servers every second.
struct Prometheus {
    port: u16,
    _folder: tempfile::TempDir,
    _child: Child,
}

impl Prometheus {
    async fn start(targets: [u16; 2]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let [one, other] = targets;
        let rules = deploy("alerts.yml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nscrape_configs:\n  \
             - {{ job_name: entremise, static_configs: [{{ targets: ['127.0.0.1:{one}', '127.0.0.1:{other}'] }}] }}\n",
            rules.display()
        );
        fs::write(folder.path().join("prometheus.yml"), config).expect("writable");
        let mut command = Command::new(tool("prometheus"));
        command.arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("it starts");
        let this = Self { port, _folder: folder, _child: child };
        let up = async {
            while this.try_ask("/-/ready").await.is_none_or(|(status, _)| status != 200) {
                sleep(Duration::from_millis(50)).await;
            }
        };
        within("Prometheus to be ready", up).await;
        this
    }

    async fn try_ask(&self, path: &str) -> Option<(u16, String)> {
        let mut tcp = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        // So that the answer ends with the connection.
        tcp.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// What a query finds: numbers, some of which may not be any (0/0).
    async fn query(&self, query: &str) -> Vec<f64> {
        let query = percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC);
        let (status, body) = self.try_ask(&format!("/api/v1/query?query={query}")).await.expect("it answers");
        assert_eq!(status, 200, "{body}");
        let found: Value = serde_json::from_str(&body).expect("JSON");
        let found = found["data"]["result"].as_array().expect("a list").iter();
        found.map(|one| one["value"][1].as_str().expect("text").parse().expect("a number")).collect()
    }
}

/// The queries of the dashboard, each with its plot's title.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(deploy("grafana.json")).expect("text")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let of = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().expect("targets").clone();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_owned()))
    };
    // Two variables of Grafana's: the server, and a time in which there are a few looks.
    let plain = |query: String| query.replace("$instance", ".*").replace("$__rate_interval", "10s");
    panels.iter().flat_map(of).map(|(title, query)| (title, plain(query))).collect()
}

/// Something of all that is counted, for so long.
async fn use_all(nodes: &[Program; 2], rounds: u32) {
    let [a, b] = nodes;
    let (mut alice, mut bob) = (a.connect().await, b.connect().await);
    for _ in 0..rounds {
        // So many that one which fails is not too much.
        for _ in 0..5 {
            alice.say(message_to(&bob.id, "1", "2")).await;
            alice.hear().await;
            bob.hear().await;
        }
        alice.ask(message_to("00000000-0000-4000-8000-000000000000", "1", "3")).await;
        let kept = a.connect_v1().await;
        let ticket = kept.ticket();
        drop(kept);
        a.try_resume(&ticket).await.leave(None).await;
        let refused = a.request("GET", "/ws", &["Origin: https://evil.example"]).await;
        assert!(refused.status >= 400);
        let access = a.turn_access().await;
        talk(&mut access.client().await, &mut access.client().await).await;
        sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
#[ignore = "needs Prometheus and NATS: make test-monitor"]
async fn every_query_of_the_dashboard_finds_numbers_and_no_rule_fires_for_a_server_that_is_well() {
    let nats = Nats::start().await;
    let nodes = Nodes::reaching(&[format!("--cluster={}", nats.url())]);
    let ports = [free_port(), free_port()];
    let start = async |name: &str, port: u16| {
        let own = [
            format!("--metrics-listen=127.0.0.1:{port}"),
            format!("--stun-port={}", free_port()),
            format!("--turn-secret-file={}", nodes.pair.secret("turn.secret")),
        ];
        let mut flags = vec!["--turn", "--turn-allow-peer=127.0.0.0/8", "--heartbeat=1"];
        flags.extend(own.iter().map(String::as_str));
        nodes.start_with(name, &flags).await
    };
    let both = [start("a", ports[0]).await, start("b", ports[1]).await];
    for node in &both {
        ready(node).await;
    }
    let prometheus = Prometheus::start(ports).await;
    // It begins a few seconds after it is ready.
    let asking = async {
        while prometheus.query("up == 1").await.len() < 2 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    within("Prometheus to ask both nodes", asking).await;
    use_all(&both, 12).await;

    let queries = queries();
    assert!(queries.len() > 20);
    for (title, query) in queries {
        let found = prometheus.query(&query).await;
        assert!(!found.is_empty() && found.iter().any(|value| value.is_finite()), "{title}: {query}: {found:?}");
    }
    for (port, other) in ports.into_iter().zip(["b", "a"]) {
        let status = monitor(([127, 0, 0, 1], port).into(), "/status/data").await;
        let status: Value = serde_json::from_slice(&status.body).expect("JSON");
        assert_eq!((&status["nodes"], &status["ready"]), (&serde_json::json!([other]), &Value::Null));
        let looks = status["looks"].as_array().expect("a list");
        assert!(looks.len() >= 2 && looks.iter().any(|look| look["connections"] == 1.0), "{looks:?}");
    }
    let (_, rules) = prometheus.try_ask("/api/v1/rules").await.expect("it answers");
    let rules: Value = serde_json::from_str(&rules).expect("JSON");
    let rules = rules["data"]["groups"][0]["rules"].as_array().expect("rules").clone();
    assert!(rules.len() > 5);
    for rule in rules {
        assert_eq!((rule["health"].as_str(), rule["state"].as_str()), (Some("ok"), Some("inactive")), "{rule}");
    }
    // What the rules compare is there as well.
    for query in [
        "entremise_certificate_lifetime_seconds",
        "entremise_cluster_connected",
        "max_over_time(entremise_cluster_nodes[1h])",
    ] {
        assert_eq!(prometheus.query(query).await.len(), 2, "{query}");
    }
}

#[tokio::test]
#[ignore = "needs Prometheus: make test-monitor"]
async fn each_fault_is_told_by_its_rule() {
    let mut promtool = Command::new(fs::canonicalize(tool("promtool")).expect("it is there"));
    let played =
        within("the rules", promtool.args(["test", "rules", "alerts_test.yml"]).current_dir(deploy("")).output()).await;
    let played = played.expect("it runs");
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    // None is left out.
    let [rules, tests] = ["alerts.yml", "alerts_test.yml"].map(|name| fs::read_to_string(deploy(name)).expect("text"));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert_eq!(
            tests.matches(&format!("alertname: {alert}")).count(),
            2,
            "{alert}: one that is silent, one that is told"
        );
    }
}
