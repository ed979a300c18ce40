"""Serves the application on loopback, for trying things by hand."""

from wsgiref.simple_server import make_server

from notes.app import application

if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application) as server:
        print("http://127.0.0.1:8000")
        server.serve_forever()
