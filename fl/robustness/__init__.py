"""What each rule does to learning under each attack: a matrix that anybody can run again, and what came out."""
