//! Another master key on MongoDB, with cached sessions in Redis whose keys lie under the old one.

use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_tests::record_macs;
use portcullis_tests::{index_rotation, on_servers, rotation};

pub async fn no_account_is_lost_and_no_deleted_one_comes_back() {
    let settings = on_servers().unwrap();
    // few and patient: the stand-in for MongoDB here goes through all of a collection for every change, and
    // requests that arrive meanwhile wait for it, at times longer than a request may
    rotation::no_account_is_lost_and_no_deleted_one_comes_back(&settings, 260, 30).await;
    drop_database(&settings).await;
}

pub async fn every_address_is_found_and_none_is_taken_twice() {
    let settings = on_servers().unwrap();
    index_rotation::every_address_is_found_and_none_is_taken_twice(&settings, 260, 30).await;
    drop_database(&settings).await;
}

/// Two instances, whose rings have the two keys in either order.
pub async fn instances_of_either_ring_begin_one_account() {
    let settings = on_servers().unwrap();
    index_rotation::instances_of_either_ring_begin_one_account(&settings).await;
    drop_database(&settings).await;
}

async fn drop_database(settings: &[(String, String)]) {
    let of = |name: &str| settings.iter().find(|(other, _)| other == name).unwrap().1.clone();
    let (url, database) = (of("MONGO_URL"), of("MONGO_DB"));
    let mongo = MongoDbSettings { url, database, validate_certificates: true, ca_file: None };
    MongoDb::connect(&mongo, &record_macs::of_ring(&[1])).await.unwrap().drop_database().await.unwrap();
}
