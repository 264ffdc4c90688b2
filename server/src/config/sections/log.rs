//! Settings of the log.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::web;
use crate::config::settings_reader::SettingsReader;
use crate::config::{Log, LogFormat};

pub fn log(reader: &mut SettingsReader) -> Log {
    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let fix = "use error, warn, info, debug or trace, or a filter as in warn,portcullis_server=debug";
    let level = reader.parsed("LOG_LEVEL", fix, read_filter);
    Log {
        format: reader.choice("LOG_FORMAT", LogFormat::Text, &words),
        level: level.unwrap_or_else(|| "info".to_owned()),
        collector: reader.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", "write it as in http://127.0.0.1:4318", web::base_url),
    }
}

/// A filter of the log. Each of its parts ends in a level: a word alone that is none would be the name of a module, and the
/// lines of all others would be gone. `warning` is other systems' name of `warn`.
fn read_filter(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        let (module, level) = part.rsplit_once('=').map_or(("", part), |(module, level)| (module, level));
        let level = if level.eq_ignore_ascii_case("warning") { "warn" } else { level };
        let separator = if module.is_empty() { "" } else { "=" };
        let is_level = !level.is_empty() && level.parse::<LevelFilter>().is_ok();
        if is_level { Ok(format!("{module}{separator}{level}")) } else { Err(format!("\"{level}\" is no level")) }
    };
    // a filter by fields may have commas in its brackets
    let filter = if text.contains('[') {
        text.to_owned()
    } else {
        text.split(',').map(|text| part(text.trim())).collect::<Result<Vec<_>, _>>()?.join(",")
    };
    EnvFilter::try_new(&filter).map_err(|error| format!("\"{text}\" is no filter: {error}"))?;
    Ok(filter)
}
