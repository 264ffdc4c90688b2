//! [`AuditChainStore`] on SQLite. Links are columns of the events' rows; the statements find them by an index on both.

use async_trait::async_trait;
use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::{ChainEntry, ChainLink, NewLink, NoteKind, SignedNote};
use portcullis_core::model::ids::ChainId;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::error::PortError;
use rusqlite::{OptionalExtension as _, Params, Row, params};

use crate::sqlite::Sqlite;
use crate::sqlite::audit_log::{self, COLUMNS, number_of};
use crate::sqlite::db::Db;
use crate::sqlite::rows::{order_of, unreadable};

const PORT: &str = "audit_chain_store";
/// A row whose link `linked` returns.
const WELL_FORMED: &str = "length(chain) = 16 AND typeof(chain) = 'blob' AND link > 0";

/// The place of a row, also of one whose event can't be read.
fn position(row: &Row<'_>) -> rusqlite::Result<AuditPosition> {
    let (number, at): (i64, i64) = (row.get("number")?, row.get("at")?);
    Ok(AuditPosition::from_bytes(order_of(Timestamp::from_millis(at), number.cast_unsigned())))
}

fn link(row: &Row<'_>) -> rusqlite::Result<Option<ChainLink>> {
    let Some(chain) = row.get::<_, Option<[u8; 16]>>("chain")? else { return Ok(None) };
    let number = u64::try_from(row.get::<_, i64>("link")?).map_err(|_| unreadable(0, "the number of a link"))?;
    // a tag of another length proves nothing, as zeros do
    let tag = row.get::<_, Option<Vec<u8>>>("tag")?.and_then(|tag| tag.try_into().ok()).unwrap_or_default();
    Ok(Some(ChainLink { chain: ChainId::from_bytes(chain), number, tag }))
}

/// The rows of a condition with their links. Rows that no one can have written with Portcullis are there too.
fn entries(db: &Db, condition: &str, params: impl Params) -> rusqlite::Result<Vec<ChainEntry>> {
    let sql = format!("SELECT {COLUMNS}, chain, link, tag FROM audit WHERE {condition}");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params, |row| {
        let (event, genuine) = match audit_log::read(row) {
            Ok(stored) => {
                let (event, genuine) = stored.examined(&db.macs);
                (Some(event), genuine)
            }
            Err(_) => (None, false),
        };
        Ok(ChainEntry { position: position(row)?, event, genuine, link: link(row)? })
    })?;
    rows.collect()
}

fn set_link(db: &Db, NewLink { position, link }: &NewLink) -> rusqlite::Result<bool> {
    let sql = "UPDATE audit SET chain = ?2, link = ?3, tag = ?4 WHERE number = ?1 AND chain IS NULL";
    let number = i64::try_from(link.number).unwrap_or(i64::MAX);
    let all = params![number_of(*position), link.chain.as_bytes(), number, link.tag];
    Ok(db.prepare_cached(sql)?.execute(all)? == 1)
}

fn note(row: &Row<'_>) -> rusqlite::Result<Option<SignedNote>> {
    let (chain, kind): (Vec<u8>, String) = (row.get(0)?, row.get(1)?);
    let (chain, kind) = (chain.try_into().map(ChainId::from_bytes), NoteKind::parse(&kind));
    let (text, signature) = (row.get(2)?, row.get(3)?);
    Ok(chain.ok().zip(kind).map(|(chain, kind)| SignedNote { chain, kind, text, signature }))
}

#[async_trait]
impl AuditChainStore for Sqlite {
    async fn unlinked(&self, after: Option<AuditPosition>, limit: u32) -> Result<Vec<ChainEntry>, PortError> {
        self.writer.flush(PORT).await?;
        let after = after.map_or(i64::MIN, number_of);
        let condition = "chain IS NULL AND number >= 0 AND number > ?1 ORDER BY number LIMIT ?2";
        self.readers.read(PORT, |db| entries(db, condition, (after, limit)))
    }

    async fn link(&self, links: Vec<NewLink>) -> Result<bool, PortError> {
        let write = move |db: &Db| {
            for link in &links {
                if !set_link(db, link)? {
                    return Ok(Err(()));
                }
            }
            Ok(Ok(()))
        };
        Ok(self.writer.write_unless_refused(PORT, false, write).await?.is_ok())
    }

    async fn linked(
        &self,
        chain: &ChainId,
        after: Option<(u64, AuditPosition)>,
        limit: u32,
    ) -> Result<Vec<ChainEntry>, PortError> {
        let (link, number) = after.map_or((0, i64::MAX), |(link, position)| (link, number_of(position)));
        let link = i64::try_from(link).unwrap_or(i64::MAX);
        let condition = "chain = ?1 AND link > 0 AND (link, number) > (?2, ?3) ORDER BY link, number LIMIT ?4";
        self.readers.read(PORT, |db| entries(db, condition, params![chain.as_bytes(), link, number, limit]))
    }

    async fn newest_link(&self, chain: &ChainId) -> Result<Option<ChainLink>, PortError> {
        let sql = "SELECT chain, link, tag FROM audit WHERE chain = ?1 AND link > 0 ORDER BY link DESC LIMIT 1";
        let found =
            self.readers.read(PORT, |db| db.prepare_cached(sql)?.query_row([chain.as_bytes()], link).optional())?;
        Ok(found.flatten())
    }

    async fn linked_chains(&self) -> Result<Vec<ChainId>, PortError> {
        let sql = format!("SELECT DISTINCT chain FROM audit WHERE {WELL_FORMED} ORDER BY chain");
        self.readers.read(PORT, |db| {
            let mut statement = db.prepare_cached(&sql)?;
            let chains = statement.query_map([], |row| row.get(0).map(ChainId::from_bytes))?;
            chains.collect()
        })
    }

    async fn count_damaged(&self) -> Result<u64, PortError> {
        let sql = format!(
            "SELECT count(*) FROM audit WHERE chain IS NOT NULL AND NOT coalesce({WELL_FORMED}, 0) OR number < 0"
        );
        let count: i64 = self.readers.read(PORT, |db| db.query_row(&sql, [], |row| row.get(0)))?;
        Ok(count.unsigned_abs())
    }

    async fn notes(&self) -> Result<Vec<SignedNote>, PortError> {
        let sql = "SELECT chain, kind, text, signature FROM audit_notes ORDER BY chain, kind";
        self.readers.read(PORT, |db| {
            let mut statement = db.prepare_cached(sql)?;
            let notes = statement.query_map([], note)?;
            notes.filter_map(Result::transpose).collect()
        })
    }

    async fn put_note(&self, note: SignedNote) -> Result<(), PortError> {
        let write = move |db: &Db| {
            let sql = "REPLACE INTO audit_notes (chain, kind, text, signature) VALUES (?1, ?2, ?3, ?4)";
            let all = params![note.chain.as_bytes(), note.kind.as_str(), note.text, note.signature];
            db.prepare_cached(sql)?.execute(all).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }
}
