//! `tidegate serve`: the order in which the broker starts and stops. No logic of its own.
//!
//! Log → descriptors → data directory → listeners → journal → broker → welcome → signals until one asks to stop.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use tidegate_shard::{Anonymous, Broker, BrokerConfig, OpenedJournal};

use crate::config::load::reason;
use crate::config::reload::Reloader;
use crate::config::{Config, Limits};
use crate::limits::descriptors;
use crate::logging::{self, Logging};
use crate::refusal::{Code, Place, Refusal, Refusals};
use crate::signals::{self, Request};
use crate::{data_dir, journal, net, terminal, welcome};

/// Serves until a signal asks to stop. 0 after a stop in good order, 1 when the broker could not start or go on.
pub fn run(config: Config, reloader: &Reloader) -> ExitCode {
    match prepare(&config) {
        Ok(prepared) => serve(config, reloader, prepared),
        Err(reasons) => {
            terminal::complain(format!("{reasons}; the broker was not started"));
            ExitCode::FAILURE
        }
    }
}

/// Signals that wait to be handled; more of them say nothing new.
const REQUESTS_MAX: usize = 8;

/// What must stand before the broker can.
struct Prepared {
    logging: Logging,
    listeners: Vec<TcpListener>,
    seed: u64,
    journal: Option<OpenedJournal>,
}

fn prepare(config: &Config) -> Result<Prepared, Refusals> {
    let logging = logging::start(config.log).map_err(|error| denied("the log", &error.to_string()))?;
    let descriptors = descriptors::raise();
    tracing::debug!(before = descriptors.before, now = descriptors.now, "descriptors");
    let data = data_dir::prepare(&config.data_dir)?;
    if data.open_to_others {
        tracing::warn!(path = %config.data_dir.display(), "other users may read the data directory; chmod 700 closes it");
    }
    data_dir::check_version(&config.data_dir)?;
    let seed = data_dir::seed(&config.data_dir)?;
    let listeners = net::listen::listen(&config.listeners)?;
    // After the listeners: a second broker on the same data usually wants the same ports, which says more.
    let journal = journal::open(config, seed)?;
    Ok(Prepared { logging, listeners, seed, journal })
}

/// From the first client to the last.
fn serve(mut config: Config, reloader: &Reloader, prepared: Prepared) -> ExitCode {
    let Prepared { logging, listeners, seed, journal } = prepared;
    let listening: Vec<SocketAddr> =
        listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let (sender, requests) = sync_channel(REQUESTS_MAX);
    // A full channel means that requests of the same kind wait already.
    let failure = sender.clone();
    let on_panic = Arc::new(move || {
        let _ = failure.try_send(Request::Fail);
    });
    let watch = signals::watch(move |request| {
        let _ = sender.try_send(request);
    });
    let broker_config = BrokerConfig { journal, seed, ..broker_config(&config, listeners, on_panic) };
    let started = watch.and_then(|watch| Ok((watch, Broker::start(broker_config)?)));
    let (_watch, broker) = match started {
        Ok(started) => started,
        Err(error) => {
            terminal::complain(denied("the broker", &reason(&error)));
            return ExitCode::FAILURE;
        }
    };
    terminal::say(welcome::welcome(&config, &listening));
    let mut code = ExitCode::SUCCESS;
    for request in requests {
        match request {
            Request::Reload => reload(&mut config, reloader, &broker, &logging),
            Request::Stop { signal } => {
                tracing::info!("{signal}: no new connections, every client is told, then the broker ends");
                break;
            }
            Request::Fail => {
                tracing::error!("a part of the broker failed; the rest ends in good order");
                code = ExitCode::FAILURE;
                break;
            }
        }
    }
    broker.shut_down();
    match logging.lost_messages() {
        0 => {}
        lost => {
            terminal::complain(format!("{lost} log lines were dropped because nobody took them fast enough"))
        }
    }
    code
}

/// SIGHUP: what can change at once does, the rest is named.
fn reload(config: &mut Config, reloader: &Reloader, broker: &Broker, logging: &Logging) {
    let reloaded = match reloader.reload(config) {
        Ok(reloaded) => reloaded,
        Err(reasons) => {
            tracing::error!("the configuration was not read again, nothing changed: {reasons}");
            return;
        }
    };
    for change in &reloaded.applied {
        tracing::info!("now in force: {change}");
    }
    for change in &reloaded.needs_restart {
        tracing::warn!("waits for a restart: {change}");
    }
    if reloaded.applied.is_empty() && reloaded.needs_restart.is_empty() {
        tracing::info!("the configuration was read again and says the same");
    }
    *config = reloaded.config;
    logging.set_level(config.log.level);
    broker.set_limits(&core_limits(&config.limits));
}

fn broker_config(
    config: &Config,
    listeners: Vec<TcpListener>,
    on_panic: Arc<dyn Fn() + Send + Sync>,
) -> BrokerConfig {
    BrokerConfig {
        shards: u8::try_from(config.shard_count()).unwrap_or(u8::MAX),
        limits: core_limits(&config.limits),
        listeners,
        authenticator: Arc::new(Anonymous { allowed: config.allow_anonymous }),
        sys_interval_secs: config.sys_interval_secs,
        connections_max: config.limits.connections_max as usize,
        connections_per_address_max: config.limits.connections_per_address_max as usize,
        shutdown_grace_secs: config.shutdown_grace_secs,
        journal: None,
        seed: 0,
        on_panic,
    }
}

/// The operator's bounds in the core's terms.
fn core_limits(limits: &Limits) -> tidegate_core::Limits {
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    tidegate_core::Limits {
        connect_timeout_ms: u64::from(limits.connect_timeout_secs) * 1000,
        packet_bytes_before_connect_max: limits.packet_bytes_before_connect_max as usize,
        packet_bytes_max: limits.packet_bytes_max as usize,
        topic_levels_max: usize::from(limits.topic_levels_max),
        filters_per_subscribe_max: limits.filters_per_subscribe_max as usize,
        filters_per_session_max: limits.filters_per_session_max as usize,
        replays_per_session_max: limits.replays_per_session_max as usize,
        sessions_per_organisation_max: limits.sessions_per_organisation_max as usize,
        subscriptions_per_organisation_max: limits.subscriptions_per_organisation_max as usize,
        share_names_per_filter_max: limits.share_names_per_filter_max as usize,
        share_names_per_organisation_max: limits.share_names_per_organisation_max as usize,
        receive_maximum: limits.receive_maximum,
        inflight_max: limits.inflight_max,
        topic_alias_maximum: limits.topic_alias_maximum,
        outbound_topic_aliases_max: limits.outbound_alias_max,
        queue_messages_max: limits.queue_messages_max as usize,
        queue_bytes_max: bytes(limits.queue_bytes_max),
        queued_bytes_per_organisation_max: bytes(limits.queued_bytes_per_organisation_max),
        queue_cache_bytes: bytes(limits.queue_cache_bytes),
        queued_message_age_max_secs: limits.queued_message_age_max_secs,
        outbound_bytes_max: bytes(limits.outbound_bytes_max),
        retained_messages_max: limits.retained_messages_max as usize,
        retained_bytes_max: bytes(limits.retained_bytes_max),
        user_properties_max: limits.user_properties_max,
        session_expiry_max_secs: limits.session_expiry_max_secs,
        session_expiry_v3_secs: limits.session_expiry_v3_secs,
        session_expiry_v5_default_secs: limits.session_expiry_v5_default_secs,
        keep_alive_max_secs: limits.keep_alive_max_secs,
        match_cache_bytes: bytes(limits.match_cache_bytes),
        ..tidegate_core::Limits::default()
    }
}

fn denied(what: &str, why: &str) -> Refusal {
    Refusal {
        code: Code::OperatingSystem,
        place: Place::Nowhere,
        message: format!("{what} cannot be started: {why}"),
        help: "see the message of the system above".into(),
    }
}
