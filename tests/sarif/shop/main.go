package main

import (
	"database/sql"
	"net/http"
)

func users(db *sql.DB, w http.ResponseWriter, r *http.Request) {
	rows, err := db.Query("SELECT id FROM users WHERE name = '" + r.URL.Query().Get("name") + "'")
	if err != nil {
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	defer rows.Close()
}
