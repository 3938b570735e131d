//! Messages about the broker's work: to standard error, through a bounded queue and a thread of their own, so that a
//! terminal that does not read never stops a shard.
//!
//! What is worth a message is not decided here; that is the business of who sees it happen.

use std::io::{self, IsTerminal, Write};

use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat, LogLevel};

/// The running log. When it is dropped, what is queued is written.
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
    lost: ErrorCounter,
    /// Ends the thread.
    _worker: WorkerGuard,
}

/// Starts the log of the process.
///
/// # Errors
/// When the process has one already.
pub fn start(log: Log) -> Result<Logging, tracing::dispatcher::SetGlobalDefaultError> {
    let (dispatch, logging) = build(log, io::stderr(), io::stderr().is_terminal());
    tracing::dispatcher::set_global_default(dispatch)?;
    Ok(logging)
}

fn build(log: Log, to: impl Write + Send + 'static, colours: bool) -> (Dispatch, Logging) {
    let builder =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX).thread_name("log");
    let (writer, worker) = builder.finish(to);
    let lost = writer.error_counter();
    let (filter, level) = reload::Layer::new(filter(log.level));
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let dispatch = Dispatch::new(Registry::default().with(filter).with(lines));
    (dispatch, Logging { level, lost, _worker: worker })
}

impl Logging {
    /// Another level from now on.
    pub fn set_level(&self, level: LogLevel) {
        // The only failure is a log that has ended, and then there is no level to set.
        let _ended = self.level.reload(filter(level));
    }

    /// Messages that found the queue full and were dropped.
    pub fn lost_messages(&self) -> usize {
        self.lost.dropped_lines()
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Messages waiting to be written; at the bound new ones are dropped and counted. A storm of 10,000 connections and
/// their ends fits.
const LINES_MAX: usize = 32_768;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sheet(Arc<Mutex<Vec<u8>>>);

    impl Write for Sheet {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is on the sheet once the log has ended.
    fn written(log: Log, work: impl FnOnce(&Logging)) -> String {
        let sheet = Sheet::default();
        let (dispatch, logging) = build(log, sheet.clone(), false);
        tracing::dispatcher::with_default(&dispatch, || work(&logging));
        drop(logging);
        let bytes = sheet.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_message_below_the_level_is_not_written_until_the_level_changes() {
        let text = written(Log { level: LogLevel::Warn, format: LogFormat::Text }, |logging| {
            tracing::info!("one");
            tracing::warn!("two");
            logging.set_level(LogLevel::Info);
            tracing::info!("three");
            assert_eq!(logging.lost_messages(), 0);
        });
        assert!(!text.contains("one"), "{text}");
        assert!(text.contains("WARN two") && text.contains("INFO three"), "{text}");
    }

    #[test]
    fn json_is_one_object_on_a_line() {
        let text = written(Log { level: LogLevel::Info, format: LogFormat::Json }, |_| {
            tracing::info!(client = "c\n1", "connected");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "connected");
        assert_eq!(line["client"], "c\n1");
        assert_eq!(line["level"], "INFO");
    }
}
