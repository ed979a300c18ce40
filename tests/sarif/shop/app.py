import os
import sqlite3

import yaml
from flask import Flask, request

app = Flask(__name__)


@app.route("/users")
def users():
    name = request.args.get("name", "")
    conn = sqlite3.connect("shop.db")
    rows = conn.execute("SELECT id FROM users WHERE name = '" + name + "'").fetchall()
    return {"rows": rows}


@app.route("/ping")
def ping():
    host = request.args.get("host", "")
    os.system("ping -c 1 " + host)
    return "ok"


@app.route("/load", methods=["POST"])
def load():
    return {"data": yaml.load(request.data, Loader=yaml.Loader)}
