"""mien in the browser and over HTTP: the page, the REST interface and the WebSocket."""
