total = price * count
return total
