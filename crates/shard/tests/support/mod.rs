//! A broker of this process on a port of loopback, and clients that speak bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "a deadline of a test needs the time")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_core::Limits;
use tidegate_shard::{Anonymous, Broker, BrokerConfig};

/// How long a test waits for what must come; only a failure uses it up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn start(shards: u8, shutdown_grace_secs: u32) -> (Broker, SocketAddr) {
    start_with(shards, shutdown_grace_secs, |_| {})
}

pub(crate) fn start_with(
    shards: u8,
    shutdown_grace_secs: u32,
    change: impl FnOnce(&mut BrokerConfig),
) -> (Broker, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = BrokerConfig {
        shards,
        limits: Limits::default(),
        listeners: vec![listener],
        authenticator: Arc::new(Anonymous { allowed: true }),
        sys_interval_secs: 0,
        connections_max: 0,
        connections_per_address_max: 0,
        shutdown_grace_secs,
        journal: None,
        seed: 7,
        on_panic: Arc::new(|| {}),
    };
    change(&mut config);
    (Broker::start(config).unwrap(), address)
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    /// Connects the socket and sends CONNECT; level 4 is 3.1.1, 5 is 5.0.
    pub(crate) fn begin(address: SocketAddr, identifier: &str, level: u8) -> Self {
        let mut client = Self::open(address);
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0];
        if level == 5 {
            body.push(0);
        }
        put_string(&mut body, identifier);
        client.send(0x10, &body);
        client
    }

    /// 3.1.1, with a Will of QoS 0 for this topic.
    pub(crate) fn connect_with_will(address: SocketAddr, identifier: &str, topic: &str) -> Self {
        let mut client = Self::open(address);
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 6, 0, 0];
        for text in [identifier, topic, "gone"] {
            put_string(&mut body, text);
        }
        client.send(0x10, &body);
        client.expect_connack();
        client
    }

    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(crate) fn connect(address: SocketAddr, identifier: &str, level: u8) -> Self {
        let mut client = Self::begin(address, identifier, level);
        client.expect_connack();
        client
    }

    pub(crate) fn expect_connack(&mut self) {
        let (first, body) = self.receive();
        assert_eq!((first, body[1]), (0x20, 0), "{body:?}");
    }

    /// 3.1.1 only.
    pub(crate) fn subscribe(&mut self, filter: &str) {
        let mut body = vec![0, 1];
        put_string(&mut body, filter);
        body.push(0);
        self.send(0x82, &body);
        assert_eq!(self.receive(), (0x90, vec![0, 1, 0]));
    }

    /// QoS 0, 3.1.1 only.
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) {
        let mut body = Vec::new();
        put_string(&mut body, topic);
        body.extend_from_slice(payload);
        self.send(0x30, &body);
    }

    pub(crate) fn ping(&mut self) {
        self.send(0xC0, &[]);
        assert_eq!(self.receive(), (0xD0, vec![]));
    }

    fn send(&mut self, first: u8, body: &[u8]) {
        let mut packet = vec![first];
        let mut len = body.len();
        while len >= 0x80 {
            packet.push(len as u8 | 0x80);
            len >>= 7;
        }
        packet.push(len as u8);
        packet.extend_from_slice(body);
        self.0.write_all(&packet).unwrap();
    }

    /// The first byte and the body of the next packet.
    pub(crate) fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut byte = [0];
        self.0.read_exact(&mut byte).unwrap();
        let first = byte[0];
        let (mut len, mut shift) = (0, 0);
        loop {
            self.0.read_exact(&mut byte).unwrap();
            len |= usize::from(byte[0] & 0x7F) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).unwrap();
        (first, body)
    }

    /// Nothing more comes: the server has closed.
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, [0; 0]);
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// What the kernel says of the broker's threads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Activity {
    /// Times a thread woke up from waiting.
    pub(crate) wakes: u64,
    /// Processor time in ticks of 10 ms.
    pub(crate) ticks: u64,
}

/// Of all shards of this process since their start.
pub(crate) fn activity() -> Activity {
    let mut sum = Activity::default();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
        if !read("comm").starts_with("shard-") {
            continue;
        }
        let status = read("status");
        let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum.wakes += switches.unwrap().trim().parse::<u64>().unwrap();
        let stat = read("stat");
        // Behind the name in brackets: state is field 3, utime and stime are 14 and 15.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        sum.ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    }
    sum
}

/// The activity during a span of time in which the test does nothing.
pub(crate) fn activity_during(span: Duration) -> Activity {
    let before = activity();
    std::thread::sleep(span);
    let after = activity();
    Activity { wakes: after.wakes - before.wakes, ticks: after.ticks - before.ticks }
}

pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let start = Instant::now();
    move || start.elapsed()
}

/// Processor time of this process so far; needs no descriptor.
pub(crate) fn cpu_of_this_process() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
