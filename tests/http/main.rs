//! Use cases over HTTP: the real server on a real socket.

mod answers;
mod api_page;
mod connections;
mod dev_mailbox;
mod disabled;
mod documents;
mod edges;
mod existing_clients;
mod input;
mod killed;
mod limits;
mod password_year;
mod passwords;
mod phones;
mod privacy;
mod profile;
mod races;
mod realms;
mod recent_authentication;
mod refresh;
mod registration;
mod restart;
mod sessions;
mod step_up;
mod test_control;
mod undo;
