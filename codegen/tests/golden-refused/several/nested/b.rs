use tokio::spawn;
